"""Measures how often the intervals of confirmed scores hold what they should.

Tasks of every type are drawn again and again from a population, and each draw is confirmed as a search would do it,
for several arms of which two are equally good. Prints, as shares of the draws: how often an arm's interval holds the
mean of its scores over all draws, how often that of a gain holds the mean gain, and how often two arms that are
equally good "differ", since the interval of their gain does not hold 0.

Populations are made up, or, with --tasks and --model, real: the tasks of a folder, and layers of a model.
"""

import argparse
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from populations import POPULATIONS, Population

from tl_search.plane.arm import Arm
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.scoring import evaluation
from tl_search.scoring.evaluation import describe
from tl_search.scoring.uncertainty.resample import confirm_cell
from tl_search.store.keys import text_digest


@dataclass(frozen=True)
class Coverage:
    """Shares of draws, and what they rest on.

    Args:
        scores: How often the interval of a score holds the arm's mean score.
        gains: How often the interval of a gain holds the mean gain.
        false: How often the interval of the gain of two equally good arms does not hold 0.
        width: The mean stated standard error of a score over the true one; 1 is right.
        width_gains: The same of gains.
        seconds: Of one confirmed cell.
        means: The mean score of each arm (arm,).
    """

    scores: float
    gains: float
    false: float
    width: float
    width_gains: float
    seconds: float
    means: np.ndarray


def measure(
    population: Population, draws: int, resamples: int = 500, seed: int = 0, confidence: float = 0.95
) -> Coverage:
    """The coverage of intervals for tasks that are drawn from a population."""
    return covered(*confirmed(population, range(draws), resamples, seed), confidence)


def confirmed(
    population: Population, numbers: Iterable[int], resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Scores (draw, arm), replicates (draw, arm, resample) and seconds a cell of the draws with these numbers."""
    scores, copies, seconds = list[list[float]](), list[list[np.ndarray]](), list[float]()
    for number in numbers:
        data, seen = population.draw(np.random.default_rng([seed, number]))
        known = [{text_digest(text): vector for text, vector in vectors.items()} for vectors in seen]
        by_task = []
        for task in population.tasks:
            with _drawn(task, data):
                started = time.perf_counter()
                by_task.append([_confirmed(task, place, vectors, resamples) for place, vectors in enumerate(known)])
                seconds.append((time.perf_counter() - started) / len(known))
        scores.append([float(np.mean([value for value, _ in found])) for found in zip(*by_task, strict=True)])
        copies.append([np.mean([copy for _, copy in found], axis=0) for found in zip(*by_task, strict=True)])
    return np.asarray(scores), np.asarray(copies), float(np.mean(seconds))


def covered(scores: np.ndarray, copies: np.ndarray, seconds: float, confidence: float = 0.95) -> Coverage:
    """The coverage of intervals of scores (draw, arm) from their replicates (draw, arm, resample)."""
    pairs = list(combinations(range(scores.shape[1]), 2))
    gains = np.stack([scores[:, a] - scores[:, b] for a, b in pairs], axis=1)
    gained = np.stack([copies[:, a] - copies[:, b] for a, b in pairs], axis=1)
    true = np.where([pair == (0, 1) for pair in pairs], 0, gains.mean(axis=0))
    return Coverage(
        scores=held(copies, scores.mean(axis=0), confidence).mean(),
        gains=held(gained, true, confidence).mean(),
        false=1 - held(gained[:, :1], np.zeros(1), confidence).mean(),
        width=float((copies.std(axis=2).mean(axis=0) / scores.std(axis=0, ddof=1)).mean()),
        width_gains=float((gained.std(axis=2).mean(axis=0) / gains.std(axis=0, ddof=1)).mean()),
        seconds=seconds,
        means=scores.mean(axis=0),
    )


def held(copies: np.ndarray, truth: np.ndarray, confidence: float) -> np.ndarray:
    """Whether each percentile interval (draw, quantity) of replicates (draw, quantity, resample) holds the truth."""
    low, high = np.quantile(copies, [(1 - confidence) / 2, (1 + confidence) / 2], axis=2)
    return (low <= truth) & (truth <= high)


@contextmanager
def _drawn(task: type, data: object) -> Iterator[None]:
    """Scoring finds a task that has the data of one draw, under the task's name."""
    task.data = data
    known, evaluation.get_task = evaluation.get_task, lambda *_: task()
    evaluation._loaded.cache_clear()
    try:
        yield
    finally:
        evaluation.get_task = known
        evaluation._loaded.cache_clear()


def _confirmed(task: type, place: int, vectors: Mapping[str, np.ndarray], resamples: int) -> tuple[float, np.ndarray]:
    arm = Arm("m", Revision("step1", 1, weights="w", tokenizer="t"), place, Extraction(dtype=Dtype.float32))
    about = task.metadata
    score, copies = confirm_cell(arm, describe(about.name, about.eval_splits[0]), vectors, resamples, 0)
    return score.value, copies


def main(line: Sequence[str] | None = None) -> None:
    """Print a table. Without a line, the arguments are those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of names of populations; without it: all")
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--tasks", type=Path, help="a folder of tasks, each a population; needs --model")
    parser.add_argument("--model", type=Path, help="a training run, or a folder of models named by their steps")
    parser.add_argument("--layers", nargs=2, type=int, default=[-2, -1], help="of the model; -1 is the last")
    parser.add_argument("--together", action="store_true", help="draw pairs with a common text, and the like, together")
    asked = parser.parse_args(line)
    if (asked.tasks is None) != (asked.model is None):
        parser.error("--tasks, --model: must be given together, got one of them")
    if asked.tasks:
        from real_populations import populations

        found = populations(asked.tasks, asked.model, asked.layers, asked.names, asked.together)
    else:
        found = ((name, one) for name, one in POPULATIONS.items() if any(part in name for part in asked.names or [""]))
    print("| task | scores held | gains held | equal arms differ | se / true | of gains | s a cell |")
    print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
    for name, population in found:
        got = measure(population, asked.draws)
        print(
            f"| {name} | {got.scores:.3f} | {got.gains:.3f} | {got.false:.3f} | {got.width:.2f} | "
            f"{got.width_gains:.2f} | {got.seconds:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
