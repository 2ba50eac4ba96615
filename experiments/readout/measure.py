"""Measures what readouts are worth on tasks of your own, arm by arm, on data that nothing was fitted or chosen on.

Every asked layer of every asked revision is scored under every readout on the confirmation split of each task of a
folder. Gains over the same layer raw are paired: both scores have the same resampled items. Prints tables in Markdown,
of points; a gain's 95 % interval stands behind it. What is scored is kept in --work, so a run that was cut goes on.
"""

import argparse
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path

import numpy as np

from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.checkpoints.run import RunCheckpoints
from tl_search.plane.arm import Arm, Plane
from tl_search.plane.extraction import Extraction
from tl_search.plane.pull import TaskSpec
from tl_search.plane.readout import Form, Readout, Readouts
from tl_search.probe.config import ProbeConfig, settled
from tl_search.probe.session import ProbeSession
from tl_search.runs.layout import RunPaths
from tl_search.scoring.ledger import Ledger
from tl_search.scoring.suites import Suite
from tl_search.scoring.uncertainty.resample import confirm_cell
from tl_search.search.column import LocalWorker
from tl_search.search.prefetch import Prefetch
from tl_search.search.readouts import fitted_readouts
from tl_search.search.texts import SuiteTexts
from tl_search.store.arrays import ArrayStore

RESAMPLES = 1000
Copies = Mapping[tuple[Arm, str], np.ndarray]  # (arm, task) → replicates (resample,), in points


def main() -> None:
    asked = _arguments()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    run = RunPaths(asked.checkpoints).is_training
    source = (RunCheckpoints if run else FolderCheckpoints)(str(asked.checkpoints))
    suite = Suite(names=(), folder=str(asked.tasks))
    chosen = [one for one in source.revisions() if not asked.revisions or one.name in asked.revisions]
    readouts = Readouts({name: _readout(name) for name in ("raw", *asked.readouts)})
    selection, held = (
        SuiteTexts(tasks, suite.texts(tasks, asked.work / "texts"))
        for tasks in (suite.selection(), suite.confirmation())
    )
    n_layers = source.shape().n_layers
    fitted = fitted_readouts(readouts, suite.training_texts, [selection, held], n_layers, asked.work / "embeddings")
    assert fitted is not None
    extraction = settled(Extraction(max_length=asked.max_length), "cpu")
    plane = Plane(source.model, tuple(chosen), n_layers, extraction, readouts.used, fitted.digest)
    held = SuiteTexts(held.tasks, held.texts, fitted.texts)
    with ProbeSession(ProbeConfig("cpu")) as session:
        stores = ArrayStore(asked.work / "embeddings"), Ledger(asked.work / "ledger")
        worker = LocalWorker(Prefetch.of(source), plane, held, session, *stores, fitted)
        arms = [
            plane.arm(revision, n_layers + layer + 1 if layer < 0 else layer, readout)
            for revision, layer, readout in product(chosen, asked.layers, readouts.used)
        ]
        copies: dict[tuple[Arm, str], np.ndarray] = {}
        for arm in list(arms):
            try:
                copies |= {(arm, task.name): _copies(worker, arm, task) for task in held.tasks}
            except ValueError as error:  # such as a rank above the number of dimensions
                print(f"left out: {error}")
                arms.remove(arm)
    print(f"{plane.model}: readouts fitted on {len(fitted.texts)} texts; points on held-out data")
    _tell(copies, arms, held.tasks)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, help="a training run, or a folder of models named by their steps")
    parser.add_argument("tasks", type=Path, help="a folder of tasks, as README describes it")
    parser.add_argument("--work", type=Path, required=True, help="where vectors and scores are kept")
    parser.add_argument("--revisions", nargs="*", default=[], help="their names; without it: all")
    parser.add_argument("--layers", nargs="+", type=int, default=[-1], help="-1 is the last")
    parser.add_argument("--readouts", nargs="+", default=["standardised", "whitened", "mean", "joined"])
    parser.add_argument("--max-length", type=int, default=128, help="tokens")
    return parser.parse_args()


def _readout(name: str) -> Readout:
    """From its name: `whitened`, or `joined-rank192-window4`."""
    form, *options = name.split("-")
    numbers = {key: int(one.removeprefix(key)) for one in options for key in ("rank", "window") if one.startswith(key)}
    return Readout(Form(form), **numbers)


def _copies(worker: LocalWorker, arm: Arm, task: TaskSpec) -> np.ndarray:
    kept = worker.ledger.get_replicates(arm, task, RESAMPLES, 0)
    if kept is None:
        _, kept = confirm_cell(arm, task, worker.vectors(arm, task), RESAMPLES, 0)
        worker.ledger.put_replicates(arm, task, kept, 0)
    return 100 * kept


def _tell(copies: Copies, arms: Iterable[Arm], tasks: Iterable[TaskSpec]) -> None:
    """A row for each arm, a column for each type of task; then the mean of all tasks."""
    types: dict[str, list[str]] = defaultdict(list)
    for task in tasks:
        types[task.type].append(task.name)
    types["mean of tasks"] = [task.name for task in tasks]
    print("\n| arm | " + " | ".join(f"{kind} ({len(names)})" for kind, names in types.items()) + " |")
    print("|---" * (1 + len(types)) + "|")
    raw: dict[tuple[str, int], Arm] = {}
    for arm in arms:
        base = raw.setdefault((arm.revision.name, arm.layer), arm)
        cells = []
        for names in types.values():
            score = np.mean([copies[arm, name] for name in names], axis=0)
            cells.append(f"{score.mean():.1f}")
            if arm is not base:
                gain = score - np.mean([copies[base, name] for name in names], axis=0)
                low, high = np.quantile(gain, (0.025, 0.975))
                cells[-1] += f", {gain.mean():+.1f} ({low:+.1f} to {high:+.1f})"
        print(f"| {arm.label} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
