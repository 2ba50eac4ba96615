"""A tiny training run's models on disk, two small tasks in memory, and the plan of a search over them."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tl_search.bandits.stopping import Stopping
from tl_search.bandits.ucb import UCB
from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.plane.costs import AnalyticCosts
from tl_search.plane.extraction import Extraction
from tl_search.plane.objective import Mean
from tl_search.plane.sampling import All
from tl_search.probe import embed
from tl_search.probe.config import ProbeConfig
from tl_search.scoring.suites import Suite
from tl_search.scoring.uncertainty import resample
from tl_search.search.budget import Budget
from tl_search.search.confirm import Confirm
from tl_search.search.run import SearchPlan, run_search

TASKS = ("TinyPairs", "TinySTS")
BLOCKS = 2


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """Four checkpoints of random weights, two blocks each."""
    from probe.tiny_models import make

    folder = tmp_path_factory.mktemp("models")
    for number, name in enumerate(("step0", "step4", "step16", "step64")):
        make(folder / name, seed=number, num_hidden_layers=BLOCKS)
    return folder


@pytest.fixture
def plan(models, tiny, tmp_path):
    """A plan with some of its parts replaced."""
    return partial(usual_plan, models, tmp_path)


@pytest.fixture(scope="module")
def finished(models, tiny, tmp_path_factory) -> Path:
    """A folder with a finished search `run`, its ledger and its embeddings: to be copied, not changed."""
    folder = tmp_path_factory.mktemp("finished")
    assert run_search(usual_plan(models, folder), folder / "run") == 0
    return folder


@pytest.fixture
def count(monkeypatch) -> Counter[tuple]:
    """Counts what costs: forward passes by (revision, first text, texts), evaluations by cell."""
    counts = Counter()

    def counting(module, name, key):
        real = getattr(module, name)

        def counted(*args):
            counts[key(*args)] += 1
            return real(*args)

        monkeypatch.setattr(module, name, counted)

    counting(embed, "_pass", lambda _, asked, *__: ("pass", asked.revision.name, asked.texts[0], len(asked.texts)))
    counting(resample, "estimate_cell", lambda arm, task, _: ("cell", arm.label, task.name, task.split))
    counting(resample, "confirm_cell", lambda arm, task, *_: ("cell", arm.label, task.name, task.split))
    return counts


def usual_plan(models: Path, folder: Path, **parts: Any) -> SearchPlan:
    usual: dict[str, Any] = {
        "checkpoints": FolderCheckpoints(str(models)),
        "sampling": All(),
        "extraction": Extraction(max_length=64),
        "probe": ProbeConfig(accelerator="cpu"),
        "tasks": Suite(TASKS),
        "objective": Mean(),
        "bandit": UCB(),
        "costs": AnalyticCosts(),
        "stopping": Stopping(),
        "budget": Budget(share=0.7),
        "confirm": Confirm(resamples=100),
        "seed": 0,
        "ledger": folder / "ledger",
        "embeddings": folder / "embeddings",
    }
    return SearchPlan(**{**usual, **parts})
