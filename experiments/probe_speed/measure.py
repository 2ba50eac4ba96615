"""How quick the probe is against other ways to every layer's vectors, as ratios from one interleaved run.

    python experiments/probe_speed/measure.py [--shapes 14m 70m] [--texts short passage] [--rounds 2] [--device cpu]

Weights are random, of Pythia's shapes, saved as real folders; what is timed begins with such a folder. The texts are
Banking77's and WikiText-103's where TL_DATA names a folder that has them, else the standard library's docstrings.
"""

import argparse
import ctypes
import gc
import gzip
import os
import platform
import statistics
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
import ways

sys.path.append(str(Path(__file__).parents[1]))
from bench import clock, docstrings, interleaved, save

from tl_search.probe import batching
from tl_search.probe.config import ProbeConfig
from tl_search.probe.loading import load_model, load_tokenizer, swap_weights
from tl_search.probe.module import Probe
from tl_search.probe.session import ProbeSession
from tl_search.probe.tokens import tokenise

HOW_MANY = {  # texts: the loop over layers takes some seconds on two cores
    "14m": {"short": 640, "passage": 96},
    "70m": {"short": 192, "passage": 32},
    "410m": {"short": 64, "passage": 16},
}


def texts_of(kind: str) -> list[str]:
    """Sentences of about 15 tokens, or passages of about 200."""
    data = Path(os.environ.get("TL_DATA", "none"))
    banking = data / "mteb" / "Banking77Classification" / "train.parquet"
    wiki = data / "text" / "wikitext103_valid.txt.gz"
    if kind == "short" and banking.exists():
        import pyarrow.parquet as parquet

        found = parquet.read_table(banking)["text"].to_pylist()
    elif kind == "passage" and wiki.exists():
        lines = gzip.decompress(wiki.read_bytes()).decode().splitlines()
        found = [line.strip() for line in lines if len(line) > 400]
    else:
        whole, (low, high) = docstrings(), (30, 100) if kind == "short" else (500, 1500)
        parts = whole if kind == "passage" else [part for text in whole for part in text.split("\n\n")]
        found = [" ".join(part.split()) for part in parts if low <= len(part) <= high]
    return [str(found[number]) for number in np.random.default_rng(0).permutation(len(found))]


def peak(device: str) -> float:
    """Multiply-adds × 2 a second of the best large fp32 matrix product."""
    one = torch.randn(2048, 2048, device=device)
    return 2 * 2048**3 / min(clock(lambda: one @ one, device) for _ in range(8))


def extra_memory(job: Callable[[], Any], device: str) -> tuple[Any, float]:
    """What the job gives, and the MiB that it needed at its highest beyond what was there before."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        found = job()
        return found, (torch.cuda.max_memory_allocated() - before) / 2**20
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # or the job would live on what earlier ones left
    done, highest, before = threading.Event(), [0], _resident()

    def watch() -> None:
        while not done.wait(0.002):
            highest[0] = max(highest[0], _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    found = job()
    done.set()
    watcher.join()
    return found, max(highest[0] - before, 0) / 2**20


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def whole_job(folder: Path, texts: list[str], rounds: int, device: str, aside: Path) -> list[str]:
    """From the folder to all vectors: every way against the loop over layers."""
    count = iter(range(10**6))
    every: dict[str, Callable[..., Any]] = {
        "per-layer loop": ways.loop,
        "sentence-transformers, truncated models": ways.sentence_transformers,
        "one padded pass, output_hidden_states": ways.one_pass,
        "the same, sorted by length": ways.one_pass_sorted,
        "probe": ways.probe,
    }
    jobs = {name: (lambda way=way: way(folder, texts, device, aside / str(next(count)))) for name, way in every.items()}
    with torch.inference_mode():
        first = {name: extra_memory(job, device) for name, job in jobs.items()}  # also the warm-up
        _agree({name: vectors for name, (vectors, _) in first.items()}, folder, texts, device, aside / "truncated")
        seconds = interleaved(jobs, rounds, device)
    base = seconds["per-layer loop"]
    lines = []
    for name, taken in seconds.items():
        ratios = [other / own for other, own in zip(base, taken, strict=True)]
        lines.append(
            f"  {name:42}{statistics.median(ratios):6.2f} × ({spread(ratios)}){statistics.median(taken):9.2f} s"
            f"{first[name][1]:8.0f} MiB"
        )
    return lines


def _agree(found: dict[str, Any], folder: Path, texts: list[str], device: str, aside: Path) -> None:
    """All ways give the same vectors: only then are their times comparable."""
    truncated = found.pop("sentence-transformers, truncated models")
    for name, vectors in found.items():
        np.testing.assert_allclose(vectors, found["probe"], atol=1e-4, rtol=1e-3, err_msg=name)
    ours = ways.probe(folder, texts, device, aside, ways.TRUNCATED)
    np.testing.assert_allclose(truncated, ours[1:], atol=1e-4, rtol=1e-3)


def forward_only(folder: Path, texts: list[str], rounds: int, device: str) -> list[str]:
    """The passes alone: texts end to end against padded batches, both sorted, both within a token budget, pooled by
    the same hooks; with the share of the matrix-multiply peak and the memory beside weights and vectors."""
    probe = Probe(load_model(folder, torch.float32).to(device), ways.HIDDEN_STATES)
    rows = tokenise(load_tokenizer(folder), texts, ways.HIDDEN_STATES).rows
    budget = batching.default_budget(device == "cpu")
    every = {
        "padded, sorted, token budget": [*batching.Batches(rows, budget, 0)],
        "end to end": [*batching.Batches(rows, budget, None)],
    }

    def run(batches: list[batching.Batch]) -> None:
        for batch in batches:
            probe.predict_step(batch._replace(ids=batch.ids.to(device), lengths=batch.lengths.to(device))).cpu()

    jobs = {name: (lambda batches=batches: run(batches)) for name, batches in every.items()}
    for job in jobs.values():
        job()
    tops = [peak(device)]
    seconds = interleaved(jobs, rounds, device)
    tops.append(peak(device))
    useful, base = operations(probe.model, rows), seconds["padded, sorted, token budget"]
    lines = [
        f"  matrix-multiply peak {max(tops) / 1e9:.0f} GFLOP/s; {sum(map(len, rows)) / len(rows):.0f} tokens a text"
    ]
    for name, taken in seconds.items():
        ratios = [other / own for other, own in zip(base, taken, strict=True)]
        quickest, needed = len(rows) / min(taken), extra_memory(jobs[name], device)[1]
        lines.append(
            f"  {name:42}{statistics.median(ratios):6.2f} × ({spread(ratios)}){quickest:9.0f} texts/s"
            f"  {useful / min(taken) / max(tops):.2f} of the peak  {needed:.0f} MiB"
        )
    return lines


def memory(folder: Path, texts: list[str], device: str, aside: Path) -> list[str]:
    """What a column needs beside the weights, at these texts and at four times as many; its vectors go to disk."""
    width = transformers.AutoConfig.from_pretrained(folder).hidden_size
    pack = batching.default_budget(device == "cpu") * 4 * width * 4 / 2**20  # fp32, of an MLP
    lines, session = [], ProbeSession(ProbeConfig(device))
    for times in (1, 4):
        many = [f"{text} {number}" for number in range(times) for text in texts]
        ways.column(folder, many[:8], session, aside / "warm", ways.HIDDEN_STATES)  # loads the model
        job = partial(ways.column, folder, many, session, aside, ways.HIDDEN_STATES)
        needed = extra_memory(job, device)[1]
        lines.append(f"  {len(many):6} texts: {needed:.0f} MiB; the widest activation of a pack has {pack:.0f} MiB")
    return lines


def swapping(folder: Path, rounds: int, device: str) -> str:
    """A revision's weights put into the kept model, against a model that is made anew."""
    model = load_model(folder, torch.float32).to(device)
    jobs: dict[str, Callable[[], Any]] = {
        "anew": lambda: transformers.AutoModel.from_pretrained(folder).eval().to(device),
        "swap": lambda: swap_weights(model, folder),
    }
    for job in jobs.values():
        job()
    seconds = interleaved(jobs, 5 * rounds, device)
    ratios = [anew / swap for anew, swap in zip(seconds["anew"], seconds["swap"], strict=True)]
    return f"  swapped weights against from_pretrained: {statistics.median(ratios):.1f} × ({spread(ratios)})"


def spread(ratios: list[float]) -> str:
    """From the lowest to the highest round."""
    return f"{min(ratios):.2f}–{max(ratios):.2f}"


def operations(model: Any, rows: Sequence[np.ndarray]) -> float:
    """What a pass must compute: two a weight of the blocks and token, and causal attention's products."""
    weights = sum(weight.numel() for block in model.layers for weight in block.parameters() if weight.ndim == 2)
    blocks, width = model.config.num_hidden_layers, model.config.hidden_size
    return sum(2.0 * weights * len(row) + 2.0 * blocks * width * len(row) ** 2 for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["14m", "70m"], choices=HOW_MANY)
    parser.add_argument("--texts", nargs="+", default=["short", "passage"], choices=["short", "passage"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0, help="of the texts; small for a try")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    where = torch.cuda.get_device_name() if given.device == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"{platform.machine()}, {where}, torch {torch.__version__}, transformers {transformers.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        aside, corpora = Path(folder), {kind: texts_of(kind) for kind in given.texts}
        for shape in given.shapes:
            model = save(aside / shape, shape, [text for texts in corpora.values() for text in texts[:4000]])
            for kind, texts in corpora.items():
                chosen = texts[: max(int(HOW_MANY[shape][kind] * given.share), 8)]
                print(f"\n{shape}, {len(chosen)} {kind} texts, whole job", flush=True)
                print(*whole_job(model, chosen, given.rounds, given.device, aside / f"{shape}-{kind}"), sep="\n")
                print(f"{shape}, {len(chosen)} {kind} texts, forward pass alone", flush=True)
                print(*forward_only(model, chosen, given.rounds, given.device), sep="\n", flush=True)
                print(f"{shape}, {kind} texts, memory beside the weights", flush=True)
                print(*memory(model, chosen, given.device, aside / f"{shape}-{kind}-memory"), sep="\n", flush=True)
            print(f"\n{shape}\n{swapping(model, given.rounds, given.device)}", flush=True)


if __name__ == "__main__":
    main()
