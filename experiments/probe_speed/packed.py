"""The forward pass alone in bfloat16 on a GPU: padded batches, and packs with one attention call a length or a layer.

    python experiments/probe_speed/packed.py [--shapes 70m 410m] [--texts short passage] [--count 4096] [--rounds 5]

The same weights and texts as in measure.py. All three ways go through the probe's own batches and hooks, and their
vectors are compared with those of float32 first. Ratios are medians over interleaved rounds.
"""

import argparse
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers
import ways
from measure import operations, spread, texts_of

sys.path.append(str(Path(__file__).parents[1]))
from bench import SHAPES, clock, interleaved, save

from tl_search.plane.extraction import Dtype
from tl_search.probe import batching, packing, varlen
from tl_search.probe.loading import load_model, load_tokenizer
from tl_search.probe.module import Probe
from tl_search.probe.tokens import tokenise

DEVICE = "cuda"


def peak() -> float:
    """Multiply-adds × 2 a second of the best large bfloat16 matrix product."""
    one = torch.randn(8192, 8192, device=DEVICE, dtype=torch.bfloat16)
    return 2 * 8192**3 / min(clock(lambda: one @ one, DEVICE) for _ in range(8))


def measure(folder: Path, texts: list[str], rounds: int) -> list[str]:
    """A line for each way: ratio to padded batches, texts a second, share of the peak, distance from float32."""
    extraction = replace(ways.HIDDEN_STATES, dtype=Dtype.bfloat16)
    probe = Probe(load_model(folder, torch.bfloat16), extraction).to(DEVICE)
    probe.choose_packed_attention()
    lines = [f"  chosen: {probe.packed_attention}"]
    rows = tokenise(load_tokenizer(folder), texts, extraction).rows
    budget = batching.default_budget(on_cpu=False)
    padded, packs = ([*batching.Batches(rows, budget, pad)] for pad in (0, None))

    def run(batches: list[batching.Batch], name: str = packing.NAME, by: Probe = probe) -> torch.Tensor:
        by.packed_attention = name
        parts = []
        for batch in batches:
            moved = {part: getattr(batch, part).to(DEVICE) for part in ("ids", "lengths")}
            parts.append(by.predict_step(batch._replace(**moved)))
        places = torch.cat([batch.texts for batch in batches])
        return torch.cat(parts, 1).cpu()[:, torch.argsort(places)]

    jobs: dict[str, Callable[[], Any]] = {
        "padded, sorted, token budget": lambda: run(padded),
        "packs, a call for each length": lambda: run(packs),
        "packs, one call a layer": lambda: run(packs, varlen.NAME),
    }
    exact = run(padded, by=Probe(load_model(folder, torch.float32), ways.HIDDEN_STATES).to(DEVICE))
    apart = {name: float((job() - exact).norm() / exact.norm()) for name, job in jobs.items()}  # also the warm-up
    tops = [peak()]
    seconds = interleaved(jobs, rounds, DEVICE)
    top = max(*tops, peak())
    useful, base = operations(probe.model, rows), next(iter(seconds.values()))
    lines.append(f"  peak {top / 1e12:.0f} TFLOP/s; {sum(map(len, rows)) / len(rows):.0f} tokens a text")
    for name, taken in seconds.items():
        ratios = [other / own for other, own in zip(base, taken, strict=True)]
        lines.append(
            f"  {name:32}{statistics.median(ratios):6.2f} × ({spread(ratios)}){len(rows) / min(taken):9.0f} texts/s"
            f"  {useful / min(taken) / top:.2f} of the peak  {apart[name]:.5f} from float32"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["70m", "410m"], choices=SHAPES)
    parser.add_argument("--texts", nargs="+", default=["short", "passage"], choices=["short", "passage"])
    parser.add_argument("--count", type=int, default=4096, help="texts at most")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, transformers {transformers.__version__}")
    with tempfile.TemporaryDirectory() as aside:
        corpora = {kind: texts_of(kind) for kind in given.texts}
        for shape in given.shapes:
            folder = save(Path(aside) / shape, shape, [text for texts in corpora.values() for text in texts[:4000]])
            for kind, texts in corpora.items():
                print(f"\n{shape}, {len(texts[: given.count])} {kind} texts", flush=True)
                print(*measure(folder, texts[: given.count], given.rounds), sep="\n", flush=True)


if __name__ == "__main__":
    main()
