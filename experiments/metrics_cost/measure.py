"""What metrics cost on top of the pass that they come from, as ratios from one interleaved run.

    python experiments/metrics_cost/measure.py [--shapes demo 14m] [--ways fast all] [--texts 576] [--rounds 3]

Weights are random, in Pythia's shapes; texts are the standard library's docstrings. A round times the bare pass over
the texts, the pass with the metrics of `metrics=fast`, and that of `metrics=all`, which passes two views more.
"""

import argparse
import ast
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tokenizers
import torch
import transformers
from omegaconf import OmegaConf

from tl_search.cli.build import build
from tl_search.cli.compose import conf_dir
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import column_vectors
from tl_search.probe.metrics.column import measure_column
from tl_search.probe.metrics.config import MetricsConfig
from tl_search.store.stdlib import modules

SHAPES = {"demo": (6, 96, 4), "14m": (6, 128, 4), "70m": (6, 512, 8), "410m": (24, 1024, 16)}  # blocks, width, heads
REVISION = Revision("step1", 1, None, "weights", "tokenizer")


def docstrings(count: int) -> list[str]:
    """Of the library's functions and classes, in order, 60 to 1,200 characters long."""
    found: dict[str, None] = {}
    for module in modules():
        for node in ast.walk(ast.parse(module.path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node)):
                found.setdefault(" ".join(text.split())[:1200])
    chosen = [text for text in found if len(text) >= 60]
    return chosen[:: max(len(chosen) // count, 1)][:count]


def make(folder: Path, shape: str, texts: list[str]) -> Path:
    """A loadable model of random weights, and a tokenizer of 4,096 pieces made from the texts."""
    blocks, width, heads = SHAPES[shape]
    torch.manual_seed(0)
    config = transformers.GPTNeoXConfig(
        vocab_size=4096, hidden_size=width, num_hidden_layers=blocks, num_attention_heads=heads,
        intermediate_size=4 * width, max_position_embeddings=512,
    )  # fmt: skip
    transformers.GPTNeoXModel(config).save_pretrained(folder)
    pieces = tokenizers.ByteLevelBPETokenizer()
    pieces.train_from_iterator(texts, vocab_size=4096, show_progress=False)
    transformers.PreTrainedTokenizerFast(tokenizer_object=pieces._tokenizer).save_pretrained(folder)
    return folder


def metrics(option: str) -> MetricsConfig:
    return build(OmegaConf.create({"metrics": OmegaConf.load(conf_dir() / "metrics" / f"{option}.yaml")}))["metrics"]


def seconds(way: Callable[[], object]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    way()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["demo", "14m"])
    parser.add_argument("--ways", nargs="+", choices=["fast", "all"], default=["fast"])
    parser.add_argument("--texts", type=int, default=576)  # nine tasks of 64
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    wanted = parser.parse_args()

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    texts = docstrings(wanted.texts)
    extraction, probe = Extraction(dtype=Dtype.float32), ProbeConfig(wanted.device)
    characters = statistics.mean(map(len, texts))
    print(f"{len(texts)} texts of {characters:.0f} characters, torch {torch.__version__}, {platform.machine()}, "
          f"{torch.get_num_threads()} threads, {wanted.device}")  # fmt: skip
    settings = {name: metrics(name) for name in wanted.ways}
    for shape in wanted.shapes:
        with tempfile.TemporaryDirectory() as folder:
            given = (REVISION, make(Path(folder), shape, texts), texts, extraction, probe)
            ways: dict[str, Callable[[], object]] = {
                "bare": lambda given=given: column_vectors(*given),
            }
            for name, config in settings.items():
                ways[name] = lambda given=given, config=config: measure_column(*given, config)
            times: dict[str, list[float]] = {name: [] for name in ways}
            for turn in range(wanted.rounds + 1):
                for name, way in ways.items():
                    took = seconds(way)
                    if turn:  # the first is for warming up
                        times[name].append(took)
            bare = statistics.median(times["bare"])
            more = {
                name: statistics.median(a / b - 1 for a, b in zip(times[name], times["bare"], strict=True))
                for name in settings
            }
            told = ", ".join(f"{name} +{share:.1%}" for name, share in more.items())
            print(f"{shape:5} bare pass {bare:6.2f} s; on top of it: {told}", flush=True)


if __name__ == "__main__":
    main()
