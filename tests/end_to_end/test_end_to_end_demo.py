"""The demo as it is: what it claims about its plane, checked against the whole plane. Takes a quarter of an hour."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tl_search.cli import commands
from tl_search.cli.config.compose import parse
from tl_search.cli.config.preflight import preflight
from tl_search.plane.costs import CostTable
from tl_search.probe.session import ProbeSession
from tl_search.scoring.ledger import Ledger
from tl_search.search.column import LocalWorker
from tl_search.search.confirm import Confirm, Confirmation
from tl_search.search.finalists import Finalists
from tl_search.search.prefetch import Prefetch
from tl_search.search.run import survey
from tl_search.search.texts import SuiteTexts
from tl_search.store.arrays import ArrayStore

pytestmark = pytest.mark.slow
DEMO = "experiments=quickstart/run"


def tl_run(runs: Path, *more: str) -> dict:
    words = [sys.executable, "-m", "tl_search", "run", DEMO, f"runs={runs}", *more]
    # with as many threads as a user's shell gives it, which decide the last bits: other tests leave theirs behind
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    subprocess.run(words, check=True, timeout=1800, env=environment)
    (folder,) = runs.glob(f"run/*{more[0].partition('=')[2] if more else 'ucb'}*")
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in ("result", "bandit_state")}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def searched(runs):
    return tl_run(runs)


@pytest.fixture(scope="module")
def everything(runs, searched):
    """All scores of the plane: (revision, layer) → task → points."""
    scores: dict[tuple[str, int], dict[str, float]] = {}
    for step in tl_run(runs, "bandit=exhaustive")["bandit_state"]["trajectory"]:
        scores.setdefault(tuple(step["arm"]), {}).update(step["scores"])
    return scores


def test_the_search_spends_less_than_a_third_and_ends_within_a_point_of_the_best(searched, everything):
    assert searched["result"]["cost"]["share"] <= 0.30
    mean = {arm: sum(scores.values()) / len(scores) for arm, scores in everything.items()}
    assert mean[tuple(searched["result"]["best"]["arm"])] >= max(mean.values()) - 1


def test_on_two_tasks_a_trained_layer_beats_every_token_embedding_and_every_random_layer(runs, everything):
    """On confirmation data, paired, by more than intervals that hold for all controls at once."""
    (job,) = preflight(parse("run", [DEMO, f"runs={runs}"]), commands.find("run"))
    _, plan = job.plan
    plane = survey(plan)
    arms = {(arm.revision.name, arm.layer): arm for arm in plane.arms()}
    first = plane.revisions[0]
    assert first.step == 0
    suite = plan.tasks
    tasks = suite.confirmation()
    texts = SuiteTexts(tasks, suite.texts(tasks))
    stores = ArrayStore(plan.embeddings), Ledger(plan.ledger)
    worker = LocalWorker(Prefetch(plan.checkpoints.fetch), plane, texts, ProbeSession(plan.probe), *stores)
    controls = {arm: None for arm in plane.arms() if arm.layer == 0 or arm.revision == first}
    learned = [place for place, arm in arms.items() if arm not in controls]
    trained = {task.name: arms[max(learned, key=lambda place: everything[place][task.name])] for task in tasks}
    best = next(iter(trained.values()))
    free = CostTable(0, dict.fromkeys(trained, 0), dict.fromkeys(trained, 0))
    confirmation = Confirmation(worker, tasks, suite_weights(plan, tasks), Confirm(), free)
    finalists = Finalists(best, best, best, trained, tuple(controls))
    confirmation.measure(finalists)
    verdicts = {row["task"]: row["verdict"] for row in confirmation.verdicts(finalists)}
    assert sum(verdict == "trained" for verdict in verdicts.values()) >= 2, verdicts


def suite_weights(plan, tasks):
    return plan.objective.weights(tasks)
