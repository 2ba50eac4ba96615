"""Measures how often the intervals of confirmed scores hold what they should.

Tasks of every type are drawn again and again from a population, and each draw is confirmed as a search would do it,
for three arms of which two are equally good. Prints, as shares of the draws: how often an arm's interval holds the
mean of its scores over all draws, how often that of a gain holds the mean gain, and how often two arms that are
equally good "differ", since the interval of their gain does not hold 0.
"""

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from populations import NOISE, POPULATIONS, SPLIT, arm_vectors

from tl_search.plane.arm import Arm
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.scoring import evaluation
from tl_search.scoring.evaluation import describe
from tl_search.scoring.uncertainty.resample import confirm_cell
from tl_search.store.keys import text_digest

ARMS = {
    name: Arm("m", Revision("step1", 1, weights="w", tokenizer="t"), layer, Extraction(dtype=Dtype.float32))
    for layer, name in enumerate(NOISE)
}


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
    """

    scores: float
    gains: float
    false: float
    width: float
    width_gains: float
    seconds: float


def measure(what: str, draws: int, resamples: int = 500, seed: int = 0, confidence: float = 0.95) -> Coverage:
    """The coverage of intervals for a population of `POPULATIONS`."""
    tasks, draw = POPULATIONS[what]
    scores = np.empty((draws, len(ARMS)))
    copies = np.empty((draws, len(ARMS), resamples))
    seconds = 0.0
    for number in range(draws):
        rng = np.random.default_rng([seed, number])
        data, hidden = draw(rng)
        seen = [arm_vectors(hidden, noise, rng) for noise in NOISE.values()]
        started = time.perf_counter()
        for place, (arm, vectors) in enumerate(zip(ARMS.values(), seen, strict=True)):
            known = {text_digest(text): vector for text, vector in vectors.items()}
            found = [_confirmed(task, data, arm, known, resamples) for task in tasks]
            scores[number, place] = np.mean([value for value, _ in found])
            copies[number, place] = np.mean([copy for _, copy in found], axis=0)
        seconds += time.perf_counter() - started
    pairs = list(combinations(range(len(ARMS)), 2))
    gains = np.stack([scores[:, a] - scores[:, b] for a, b in pairs], axis=1)
    gained = np.stack([copies[:, a] - copies[:, b] for a, b in pairs], axis=1)
    return Coverage(
        scores=_held(copies, scores.mean(axis=0), confidence).mean(),
        gains=_held(gained, np.where([pair == (0, 1) for pair in pairs], 0, gains.mean(axis=0)), confidence).mean(),
        false=1 - _held(gained[:, :1], np.zeros(1), confidence).mean(),
        width=float((copies.std(axis=2).mean(axis=0) / scores.std(axis=0, ddof=1)).mean()),
        width_gains=float((gained.std(axis=2).mean(axis=0) / gains.std(axis=0, ddof=1)).mean()),
        seconds=seconds / draws / len(ARMS) / len(tasks),
    )


def _confirmed(task: type, data: object, arm: Arm, vectors: dict, resamples: int) -> tuple[float, np.ndarray]:
    if getattr(task, "data", None) is not data:
        task.data = data
        evaluation._loaded.cache_clear()
    evaluation.get_task = lambda *_: task()
    score, copies = confirm_cell(arm, describe(task.metadata.name, SPLIT), vectors, resamples, 0)
    return score.value, copies


def _held(copies: np.ndarray, truth: np.ndarray, confidence: float) -> np.ndarray:
    """Whether each percentile interval (draw, quantity) of replicates (draw, quantity, resample) holds the truth."""
    low, high = np.quantile(copies, [(1 - confidence) / 2, (1 + confidence) / 2], axis=2)
    return (low <= truth) & (truth <= high)


def main(names: Iterable[str], draws: int) -> None:
    """Print the table."""
    print("| task | scores held | gains held | equal arms differ | se / true | of gains | s a cell |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in names:
        found = measure(name, draws)
        print(
            f"| {name} | {found.scores:.3f} | {found.gains:.3f} | {found.false:.3f} | {found.width:.2f} | "
            f"{found.width_gains:.2f} | {found.seconds:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(POPULATIONS), help="parts of names of populations")
    parser.add_argument("--draws", type=int, default=400)
    asked = parser.parse_args()
    main([name for name in POPULATIONS if any(part in name for part in asked.names)], asked.draws)
