"""Measures how much a score on a share of a task's items tells of the score on all of them, on tasks of your own.

Every asked layer of every asked revision of a training run is scored on the selection split of each task of a folder:
on all items, and on shares of them. One share is drawn once and for all; here the same is done with other seeds of the
draw as well, since one draw says little of the next. Prints tables in Markdown. What is scored is kept in --work, so a
run that was cut goes on.
"""

import argparse
import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.checkpoints.run import RunCheckpoints
from tl_search.plane.arm import Plane
from tl_search.plane.extraction import Extraction
from tl_search.plane.pull import TaskSpec
from tl_search.probe.config import ProbeConfig, settled
from tl_search.probe.embed import column_vectors
from tl_search.probe.session import ProbeSession
from tl_search.runs.layout import RunPaths
from tl_search.scoring import evaluation
from tl_search.scoring.evaluation import score_cell
from tl_search.scoring.ledger import Ledger
from tl_search.scoring.parts import shares
from tl_search.scoring.suites import Suite
from tl_search.scoring.texts import texts_of
from tl_search.search.column import LocalWorker
from tl_search.search.prefetch import Prefetch
from tl_search.search.texts import SuiteTexts
from tl_search.store.arrays import ArrayStore

ROUNDS = 2000  # of the bootstrap over revisions
PASSES = 3  # that are timed
OBJECTIVE = "mean of tasks"

# Scores in points of one share under several seeds, and of all items: (draw, arm) and (arm,).
Found = tuple[np.ndarray, np.ndarray]


class Kept:
    """Scores and seconds by what they are of, in a file that grows line by line.

    The ledger of searches cannot hold them: shares under other seeds have the names of those that a search draws.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.known = {tuple(key): tuple(value) for key, value in map(json.loads, lines)}

    def __contains__(self, key: tuple) -> bool:
        return key in self.known

    def put(self, key: tuple, *value: float) -> None:
        self.known[key] = value
        with self.path.open("a") as file:
            file.write(json.dumps([key, value]) + "\n")


def main() -> None:
    asked = _arguments()
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    asked.work.mkdir(parents=True, exist_ok=True)
    run = RunPaths(asked.checkpoints).is_training
    source = (RunCheckpoints if run else FolderCheckpoints)(str(asked.checkpoints))
    suite = Suite(names=tuple(asked.names), folder=str(asked.tasks), selection_split=asked.split)
    chosen = tuple(one for one in source.revisions() if not asked.revisions or one.name in asked.revisions)
    tasks = suite.selection()
    texts = SuiteTexts(tasks, suite.texts(tasks, asked.work / "texts"))
    plane = Plane(
        source.model, chosen, source.shape().n_layers, settled(Extraction(max_length=asked.max_length), "cpu")
    )
    kept = Kept(asked.work / f"{plane.model}.jsonl")
    with ProbeSession(ProbeConfig("cpu")) as session:
        stores = ArrayStore(asked.work / "embeddings"), Ledger(asked.work / "ledger")
        worker = LocalWorker(Prefetch.of(source), plane, texts, session, *stores)
        _score(worker, tasks, asked.items, asked.draws, kept)
        middle = chosen[len(chosen) // 2]
        for task in tasks:
            _time_passes(task, asked.items, plane, source.fetch(middle), session, middle, kept)
    print(f"{plane.model}: {len(chosen)} revisions, {len(plane.layers)} layers, {asked.draws} draws of each share\n")
    _tell(plane, tasks, asked.items, asked.draws, kept)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, help="a training run, or a folder of models named by their steps")
    parser.add_argument("tasks", type=Path, help="a folder of tasks, as README describes it")
    parser.add_argument("--work", type=Path, required=True, help="where vectors and scores are kept")
    parser.add_argument("--names", nargs="*", default=[], help="of the folder's tasks; without it: all")
    parser.add_argument("--revisions", nargs="*", default=[], help="their names; without it: all")
    parser.add_argument("--items", nargs="+", default=["1/3", "1/10"], help="the shares")
    parser.add_argument("--draws", type=int, default=3, help="seeds of each share; the first is that of searches")
    parser.add_argument("--split", default="selection", help="selection, or official for whole test splits")
    parser.add_argument("--max-length", type=int, default=128, help="tokens")
    return parser.parse_args()


def _score(worker: LocalWorker, tasks: Iterable[TaskSpec], items: Sequence[str], draws: int, kept: Kept) -> None:
    """Every cell on all items, and on every draw of every share; from the vectors of all items."""
    first, arms = shares.SEED, worker.plane.arms()
    for task in tasks:
        for draw in range(draws):
            shares.SEED = first + draw
            evaluation._loaded.cache_clear()
            wanted = [task, *(replace(task, items=one) for one in items)] if not draw else [
                replace(task, items=one) for one in items
            ]  # fmt: skip
            for arm, spec in ((arm, spec) for arm in arms for spec in wanted):
                key = (arm.revision.name, arm.layer, task.name, spec.items, draw)
                if key not in kept:
                    found = score_cell(arm, spec, worker.vectors(arm, task))
                    kept.put(key, 100 * found.value, found.seconds)
    shares.SEED = first
    evaluation._loaded.cache_clear()


def _time_passes(task, items, plane, folder, session, revision, kept: Kept) -> None:
    """Seconds of a pass over the task's texts at every layer, and how many texts, of all items and of each share.

    The fastest of some rounds counts, in each of which all are timed: other work on the machine only makes them slower.
    """
    texts = {one: texts_of(replace(task, items=one)) for one in ("1", *items)}
    fastest = dict.fromkeys(texts, float("inf"))
    if ("pass", task.name, "1") in kept:
        return
    column_vectors(revision, folder, texts["1"][:8], plane.extraction, session)  # so that the model is loaded
    for one in [*texts] * PASSES:
        started = time.monotonic()
        column_vectors(revision, folder, texts[one], plane.extraction, session)
        fastest[one] = min(fastest[one], time.monotonic() - started)
    for one, seconds in fastest.items():
        kept.put(("pass", task.name, one), seconds, len(texts[one]))


def _tell(plane: Plane, tasks: Sequence[TaskSpec], items: Sequence[str], draws: int, kept: Kept) -> None:
    """A row for each task and share, for the mean of the tasks, and for each type."""
    arms, types = plane.arms(), defaultdict(list)
    clusters = np.array([[arm.revision.name for arm in arms].index(arm.revision.name) for arm in arms])

    def points(task: str, share: str, draw: int) -> np.ndarray:
        return np.array([kept.known[arm.revision.name, arm.layer, task, share, draw][0] for arm in arms])

    def seconds(task: str, share: str) -> float:
        return float(np.median([kept.known[arm.revision.name, arm.layer, task, share, 0][1] for arm in arms]))

    print(
        "| task | type | items | texts | arms' sd | bias | noise | noise / sd | Pearson | Spearman | regret | worst |"
    )
    print("|---" * 12 + "|")
    whole = {task.name: points(task.name, "1", 0) for task in tasks}
    of_share: dict[str, dict[str, Found]] = defaultdict(dict)
    for task in tasks:
        for share in items:
            drawn = np.stack([points(task.name, share, draw) for draw in range(draws)])
            of_share[share][task.name] = drawn, whole[task.name]
            texts = f"{kept.known['pass', task.name, share][1]:.0f} of {kept.known['pass', task.name, '1'][1]:.0f}"
            print(f"| {task.name} | {task.type} | {share} | {texts} | {_row(drawn, whole[task.name], clusters)} |")
        types[task.type].append(task.name)
    types[OBJECTIVE] = [task.name for task in tasks]
    print("\nMeans of tasks by type, as an objective takes them:\n")
    print("| type | items | arms' sd | bias | noise | noise / sd | Pearson | Spearman | regret | worst |")
    print("|---" * 10 + "|")
    for kind, names in types.items():
        for share in items:
            drawn, all_items = (np.mean([of_share[share][name][part] for name in names], axis=0) for part in (0, 1))
            print(f"| {kind} ({len(names)}) | {share} | {_row(drawn, all_items, clusters)} |")
    print("\nSeconds: one pass over the task's texts at every layer, and one evaluation of one arm.\n")
    print("| task | " + " | ".join(f"pass, {share} | score, {share}" for share in ("1", *items)) + " |")
    print("|---" * (1 + 2 * (1 + len(items))) + "|")
    total = np.zeros(2 * (1 + len(items)))
    for task in tasks:
        row = [
            value
            for share in ("1", *items)
            for value in (kept.known["pass", task.name, share][0], seconds(task.name, share))
        ]
        total += row
        print(f"| {task.name} | " + " | ".join(f"{value:.2f}" for value in row) + " |")
    print("| all | " + " | ".join(f"{value:.2f}" for value in total) + " |")


def _row(drawn: np.ndarray, whole: np.ndarray, clusters: np.ndarray) -> str:
    """What a share tells of the whole, averaged over draws.

    Args:
        drawn: Points on the share (draw, arm).
        whole: Points on all items (arm,).
        clusters: By arm: its revision. Arms of one revision are alike, so intervals draw revisions.
    """
    apart = drawn - whole
    bias, noise = apart.mean(), np.sqrt((apart - apart.mean(axis=1, keepdims=True)).var(axis=1).mean())
    lost = whole.max() - whole[drawn.argmax(axis=1)]
    spread = whole.std()
    cells = [f"{spread:.1f}", f"{bias:+.1f}", f"{noise:.2f}", f"{noise / spread:.2f}"]
    for measure in (_pearson, _spearman):
        low, high = np.nanquantile([*_resampled(drawn, whole, clusters, measure)], (0.025, 0.975))
        cells.append(f"{measure(drawn, whole):.2f} ({low:.2f} to {high:.2f})")
    return " | ".join([*cells, f"{lost.mean():.2f}", f"{lost.max():.2f}"])


def _pearson(drawn: np.ndarray, whole: np.ndarray) -> float:
    centred, other = drawn - drawn.mean(axis=1, keepdims=True), whole - whole.mean()
    return float(np.mean(centred @ other / np.sqrt((centred**2).sum(axis=1) * (other @ other))))


def _spearman(drawn: np.ndarray, whole: np.ndarray) -> float:
    return _pearson(np.apply_along_axis(rankdata, 1, drawn), rankdata(whole))


def _resampled(drawn: np.ndarray, whole: np.ndarray, clusters: np.ndarray, measure) -> Iterator[float]:
    """The measure on revisions that are drawn with replacement, with all their layers."""
    state, named = np.random.default_rng(0), np.unique(clusters)
    members: Mapping[int, np.ndarray] = {one: np.flatnonzero(clusters == one) for one in named}
    for _ in range(ROUNDS):
        rows = np.concatenate([members[one] for one in state.choice(named, len(named))])
        if np.ptp(whole[rows]) and all(np.ptp(one[rows]) for one in drawn):
            yield measure(drawn[:, rows], whole[rows])


if __name__ == "__main__":
    main()
