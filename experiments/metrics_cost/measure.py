"""What metrics cost on top of the pass that they come from, as ratios from interleaved runs.

    python experiments/metrics_cost/measure.py [--shapes 14m 70m] [--texts 96 576] [--ways fast all] [--rounds 7]

Weights are random, in Pythia's shapes; texts are the standard library's docstrings. A round runs the bare pass over the
texts and the same pass with the metrics of each way, in turning order; printed are the median over rounds of their
ratio, and the smallest and the largest.
"""

import argparse
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import transformers
from omegaconf import OmegaConf

sys.path.append(str(Path(__file__).parents[1]))
from bench import SHAPES, docstrings, interleaved, save

from tl_search.cli.config.build import build
from tl_search.cli.config.compose import conf_dir
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import column_vectors
from tl_search.probe.measuring.column import measure_column
from tl_search.probe.measuring.config import MetricsConfig
from tl_search.probe.session import ProbeSession

REVISION = Revision("step1", 1, None, "weights", "tokenizer")


def texts_of(characters: int) -> list[str]:
    """Docstrings of 60 characters or more, cut to at most so many, in a seeded order."""
    found = dict.fromkeys(" ".join(text.split())[:characters] for text in docstrings())
    chosen = [text for text in found if len(text) >= 60]
    return [chosen[number] for number in np.random.default_rng(0).permutation(len(chosen))]


def metrics(option: str) -> MetricsConfig:
    """What `tl search metrics=<option>` measures."""
    return build(OmegaConf.create({"metrics": OmegaConf.load(conf_dir() / "metrics" / f"{option}.yaml")}))["metrics"]


def cost(folder: Path, texts: list[str], ways: list[str], rounds: int, device: str) -> str:
    """One line: the bare pass's seconds, and what each way adds to it."""
    given = (REVISION, folder, texts, Extraction(dtype=Dtype.float32), ProbeSession(ProbeConfig(device)))
    jobs: dict[str, Callable[[], object]] = {"bare": lambda: column_vectors(*given)}
    jobs.update({name: partial(measure_column, *given, metrics(name)) for name in ways})
    interleaved(jobs, 1, device)  # to warm up
    seconds = interleaved(jobs, rounds, device)
    told = [f"bare pass {statistics.median(seconds['bare']):6.2f} s"]
    for name in ways:
        more = [with_ / bare - 1 for with_, bare in zip(seconds[name], seconds["bare"], strict=True)]
        told.append(f"{name} {statistics.median(more):+.1%} ({min(more):+.1%} … {max(more):+.1%})")
    return ", ".join(told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["14m", "70m"])
    parser.add_argument("--texts", nargs="+", type=int, default=[96, 288])
    parser.add_argument("--characters", type=int, default=600, help="of a text at most")
    parser.add_argument("--ways", nargs="+", choices=["fast", "all"], default=["fast"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    wanted = parser.parse_args()

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    texts = texts_of(wanted.characters)
    machine = f"torch {torch.__version__}, {platform.machine()}, {torch.get_num_threads()} threads, {wanted.device}"
    characters = statistics.mean(map(len, texts))
    print(f"{machine}; texts of {characters:.0f} characters; {wanted.rounds} rounds: median (range)")
    for shape in wanted.shapes:
        with tempfile.TemporaryDirectory() as folder:
            save(Path(folder), shape, texts)
            for count in wanted.texts:
                told = cost(Path(folder), texts[:count], wanted.ways, wanted.rounds, wanted.device)
                print(f"{shape:5} {min(count, len(texts)):4} texts: {told}", flush=True)


if __name__ == "__main__":
    main()
