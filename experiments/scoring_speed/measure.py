"""Measures how much sooner a cell is scored here than by mteb's own evaluation of the same vectors.

Every task of a folder is scored on its whole test split at some layers of a model, from vectors that are computed
beforehand. In every round, each layer is evaluated by mteb with an encoder that looks vectors up in a dict, then by
this package as in a selection, with a standard error. Prints medians of the rounds and ratios.
"""

import argparse
import copy
import statistics
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench import checkpoints_at, clock

from tl_search.plane.arm import Arm
from tl_search.plane.extraction import Extraction
from tl_search.plane.pull import TaskSpec
from tl_search.probe.config import ProbeConfig, settled
from tl_search.probe.embed import column_vectors
from tl_search.probe.session import ProbeSession
from tl_search.scoring import evaluation
from tl_search.scoring.suites import Suite
from tl_search.scoring.text_vectors import TextVectors
from tl_search.scoring.uncertainty.resample import estimate_cell
from tl_search.store.keys import text_digest


class Plain(AbsEncoder):
    """What one would write to give mteb vectors that are known: `vectors` has that of every text (width,)."""

    def __init__(self, vectors: Mapping[str, np.ndarray]) -> None:
        self.vectors = vectors
        self.mteb_model_meta = ModelMeta.create_empty(
            overwrites={"name": "known/vectors", "revision": "1", "similarity_fn_name": ScoringFunction.COSINE}
        )

    def encode(self, inputs: Any, **_: Any) -> np.ndarray:
        """Vectors (text, width), in the order of the texts."""
        return np.stack([self.vectors[text] for batch in inputs for text in batch["text"]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, help="a training run, or a folder of models named by their steps")
    parser.add_argument("tasks", type=Path, help="a folder of tasks, as README describes it")
    parser.add_argument("--work", type=Path, required=True, help="where the texts of tasks are kept")
    parser.add_argument("--names", nargs="*", default=[], help="tasks; without it: all")
    parser.add_argument("--layers", nargs="+", type=int, default=[1, -1], help="-1 is the last")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    source = checkpoints_at(asked.checkpoints)
    suite = Suite(names=tuple(asked.names), folder=str(asked.tasks), selection_split="official")
    revision, extraction = source.revisions()[-1], settled(Extraction(max_length=128), "cpu")
    folder = source.fetch(revision)
    print(
        f"{source.model}, {revision.name}; seconds a cell, medians of {asked.rounds} rounds at layers {asked.layers}\n"
    )
    print("| task | type | texts | mteb | here | ratio | largest difference |\n|---|---|---:|---:|---:|---:|---:|")
    for task in suite.selection():
        texts = suite.texts((task,), asked.work)[task.name]
        with ProbeSession(ProbeConfig("cpu")) as session:
            column = column_vectors(revision, folder, texts, extraction, session)
        arms = [Arm(source.model, revision, range(len(column))[layer], extraction) for layer in asked.layers]
        rounds = [compare(task, texts, arms, column) for _ in range(asked.rounds + 1)]
        found = rounds[1:]  # the first one loads the data
        theirs, ours = (statistics.median(one[place] for one in found) / len(arms) for place in (0, 1))
        apart = max(one[2] for one in found)
        figures = f"{theirs:.2f} | {ours:.3f} | {theirs / ours:.1f} | {apart:.0e}"
        print(f"| {task.name} | {task.type} | {len(texts):,} | {figures} |", flush=True)


def compare(task: TaskSpec, texts: tuple[str, ...], arms: list[Arm], column: np.ndarray) -> tuple[float, float, float]:
    """Seconds of all arms by mteb's evaluation, and by ours; and the largest difference of two scores."""
    places = {text_digest(text): row for row, text in enumerate(texts)}
    theirs, ours = list[float](), list[float]()
    seconds = [0.0, 0.0]
    for arm in arms:
        states = column[arm.layer]
        plain = Plain(dict(zip(texts, states, strict=True)))
        seconds[0] += clock(partial(_kept, theirs, _by_mteb, task, plain), "cpu")
        seconds[1] += clock(partial(_kept, ours, _by_us, task, arm, TextVectors(places, [states])), "cpu")
    return (*seconds, max(abs(a - b) for a, b in zip(theirs, ours, strict=True)))


def _kept(scores: list[float], score: Callable[..., float], *given: Any) -> None:
    scores.append(score(*given))


def _by_us(task: TaskSpec, arm: Arm, vectors: TextVectors) -> float:
    return estimate_cell(arm, task, vectors).value


def _by_mteb(spec: TaskSpec, encoder: Any) -> float:
    """The score by mteb alone, of a task whose data are loaded."""
    import mteb

    folder = spec.folder and Path(spec.folder)
    loaded = evaluation._loaded(spec.name, spec.split, spec.subset, spec.skip_nulls, folder or None)
    with evaluation._quiet():
        results = mteb.evaluate(
            encoder, copy.deepcopy(loaded), cache=None, co2_tracker=False, show_progress_bar=False,
            encode_kwargs={"batch_size": 1024, "show_progress_bar": False},
        )  # fmt: skip
    return float(np.mean([one["main_score"] for one in results.task_results[0].scores[spec.split]]))


if __name__ == "__main__":
    main()
