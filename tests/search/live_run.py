"""A training run of seconds that is looked at while it trains."""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "training"))
sys.path.append(str(Path(__file__).parents[1]))
import tiny_run

from tl_search.plane.extraction import Extraction
from tl_search.probe.config import ProbeConfig
from tl_search.probe.measuring.config import Columns, MetricsConfig
from tl_search.scoring.suites import Suite
from tl_search.search.live import PlaneProbe, RepresentationMetrics
from tl_search.training.fit import fit
from tl_search.training.loggers import TensorBoard

STEPS = [0, 2, 6, 7, 9, 12, 13, 14]
SUITE = Suite(("TinyPairs", "TinySTS"))


def usual(**changes):
    shared = {"tasks": SUITE, "extraction": Extraction(max_length=64), "probe": ProbeConfig("cpu"), "share": None}
    return shared | changes


def probe(folder, kind=PlaneProbe, **changes):
    return kind(**{"ledger": folder / "ledger", "embeddings": folder / "embeddings"} | usual(**changes))


def metrics(kind=RepresentationMetrics, **changes):
    measured = MetricsConfig(columns=Columns.all, measures={"rankme": {}, "curvature": {}})
    tasks = Suite(("TinyClassification",))  # which has training texts
    return kind(**{"metrics": measured} | usual(**{"tasks": tasks} | changes))


def train(folder, *, plan=None, callbacks=None, **changes):
    """Train in `folder/run`; `plan` changes the training, the rest the probe."""
    callbacks = {"plane_probe": probe(folder, **changes)} if callbacks is None else callbacks
    plan = {"callbacks": callbacks, "logger": {"tensorboard": TensorBoard()}} | (plan or {})
    fit(tiny_run.plan(folder, **plan), folder / "run")


def told_to_stop():
    os.kill(os.getpid(), signal.SIGTERM)


def events(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0, "scalars": 0})
    return found.Reload()


def curve(run, name):
    found = events(run)
    return {event.step: event.value for event in found.Scalars(name)} if name in found.Tags()["scalars"] else {}


@dataclass(frozen=True, kw_only=True)
class ElsewherePlane(PlaneProbe):
    """The same with the tiny tasks, in a process of its own that no fixture has prepared."""

    def start(self):
        know_tiny_tasks()
        return super().start()


@dataclass(frozen=True, kw_only=True)
class ElsewhereMetrics(RepresentationMetrics):
    """Likewise."""

    def start(self):
        know_tiny_tasks()
        return super().start()


def know_tiny_tasks():
    from scoring import tiny_tasks

    from tl_search.scoring import evaluation

    evaluation.get_task = lambda name, folder=None: tiny_tasks.TASKS[name]()
