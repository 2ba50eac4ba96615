"""What a search will cost is known before it, by the numbers that the search itself decides by."""

import pytest

from tl_search.plane.costs import AnalyticCosts, Workload
from tl_search.runs.outcome import Outcome
from tl_search.runs.searched_plane import SearchedPlane, Seconds
from tl_search.scoring.suites import Suite
from tl_search.search.budget import Budget
from tl_search.search.workload import work_of

pytestmark = pytest.mark.slow  # whole searches and trainings, one a test

ASSUMED = Workload(tasks=2, texts=10, characters=50)


def table(plan, finished, work):
    plane = SearchedPlane.read(finished / "run")
    return plan().costs.table(plane.parameters, work.sizes), plane


def test_the_estimate_for_known_texts_is_the_cost_that_the_search_writes(plan, finished):
    suite = plan().tasks
    work = work_of(suite, ASSUMED, finished / "ledger" / "texts")
    prices, plane = table(plan, finished, work)
    assert (work.assumed, work.chosen) == ((), True)
    assert Seconds.of(prices.exhaustive(*plane.shape)) == plane.exhaustive
    assert plan().budget.most(prices, *plane.shape) >= Outcome.read(finished / "run").cost.search.total
    texts = suite.texts(suite.selection()).values()
    assert work.texts == len({text for listed in texts for text in listed})


@pytest.mark.slow
def test_what_is_not_on_this_machine_is_assumed_and_said(plan, tiny, tmp_path):
    work = work_of(plan().tasks, ASSUMED, tmp_path)
    assert work.assumed == plan().tasks.names
    assert {size.texts for size in work.sizes.values()} == {10}
    assert sorted(size.type for size in work.sizes.values()) == ["PairClassification", "STS"]
    mixed = work_of(Suite(("TinySTS", "StdlibVerbClassification")), ASSUMED, tmp_path)
    assert mixed.assumed == ("TinySTS",)
    assert mixed.sizes["StdlibVerbClassification"].texts > 100


def test_without_tasks_all_is_assumed():
    work = work_of(None, ASSUMED, "unused")
    assert (len(work.sizes), work.texts, work.chosen) == (2, 20, False)


@pytest.mark.parametrize(
    ("budget", "seconds"),
    [
        (Budget(share=0.5), 50.0),
        (Budget(share=0.01), 10.0),  # the final column is scored whatever the budget
        (Budget(share=None), 100.0),
        (Budget(share=None, pulls=2), 10.0 + 2 * 4.0),
        (Budget(share=0.15, pulls=2), 15.0),
        (Budget(share=None, pulls=1000), 100.0),
    ],
)
def test_a_budget_is_priced_as_a_search_spends_it(budget, seconds):
    # a column of four layers: 2 s of loading and embedding, 2 s of scoring a layer
    costs = AnalyticCosts(flops=1e9, open=2.0, read=1e12, score={"other": 1.0})
    prices = costs.table(1, Workload(tasks=1, texts=2, characters=1).sizes())
    assert budget.most(prices, 10, 4) == pytest.approx(seconds, rel=1e-3)
