"""How much smaller and faster an exported arm is than the whole model, as ratios from one interleaved run.

    python experiments/export_size/measure.py [--shape 70m] [--layers 2 4] [--texts 256] [--rounds 5]

Random weights of Pythia's shape, and docstrings of the standard library. Both are encoded by sentence-transformers on
one device, in batches of 32; the whole model is the arm of the last layer.
"""

import argparse
import statistics
import sys
import tempfile
import warnings
from pathlib import Path

import torch
import transformers
from sentence_transformers import SentenceTransformer

sys.path.append(str(Path(__file__).parents[1]))
from bench import SHAPES, docstrings, interleaved, save

from tl_search.export.arm import export
from tl_search.plane.extraction import Dtype, Extraction, FinalNorm
from tl_search.plane.revision import Revision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="70m", choices=SHAPES)
    parser.add_argument("--layers", nargs="+", type=int, default=[2, 4])
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    texts, blocks = docstrings()[: given.texts], SHAPES[given.shape][0]
    with tempfile.TemporaryDirectory() as aside:
        source = save(Path(aside) / "whole", given.shape, texts)
        arms = [(FinalNorm.all, blocks)]
        arms += [(norm, layer) for norm in (FinalNorm.all, FinalNorm.last_only) for layer in given.layers]
        models, sizes = {}, {}
        for norm, layer in arms:
            name = f"layer {layer} of {blocks}, final norm {norm.value}"
            done = export(
                source, Revision("step1", 1, None, "w", "t"), layer, Extraction(norm, dtype=Dtype.float32), "",
                Path(aside) / f"{norm.value}-{layer}",
            )  # fmt: skip
            sizes[name] = (done.folder / "model.safetensors").stat().st_size / 2**20, done.blocks
            models[name] = SentenceTransformer(str(done.folder), device="cpu")
        jobs = {name: (lambda model=model: model.encode(texts, batch_size=32)) for name, model in models.items()}
        for job in jobs.values():
            job()
        seconds = interleaved(jobs, given.rounds, "cpu")
    whole = next(iter(seconds.values()))
    print(f"{given.shape}, {len(texts)} docstrings, {torch.get_num_threads()} threads")
    for name, taken in seconds.items():
        ratios = [other / own for other, own in zip(whole, taken, strict=True)]
        mib, kept = sizes[name]
        print(
            f"  {name:38}{kept} blocks {mib:6.0f} MiB  {statistics.median(ratios):5.2f} × "
            f"({min(ratios):.2f}–{max(ratios):.2f}) as fast as the whole"
        )


if __name__ == "__main__":
    main()
