"""What pulls cost: nothing twice, and a whole plane what the table says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_search.plane.arm import Plane
from tl_search.plane.costs import AnalyticCosts, CostTable, Spending, TaskSize
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.pull import Cost
from tl_search.plane.revision import Revision

PLANE = Plane("model", tuple(Revision(f"step{n}", n) for n in (0, 10, 100)), 3, Extraction(dtype=Dtype.float32))
TABLE = CostTable(10.0, {"A": 1.0, "B": 2.0}, {"A": 0.1, "B": 0.2})
CELLS = [(arm, task) for arm in PLANE.arms() for task in "AB"]


def test_a_column_is_opened_once_and_a_task_embedded_once():
    spending, (first, second, *_) = Spending(TABLE), PLANE.arms()
    assert spending.pay(first, ["A"]) == Cost(10.0, 1.0, 0.1)
    assert spending.pay(second, ["A", "B"]) == Cost(0.0, 2.0, pytest.approx(0.3))
    assert spending.pay(second, ["A", "B"]) == Cost()
    assert spending.spent.total == pytest.approx(13.4)


@given(st.permutations(CELLS), st.integers(0, len(CELLS)))
def test_the_whole_plane_costs_the_same_in_any_order(cells, repeated):
    spending = Spending(TABLE)
    for arm, task in [*cells, *cells[:repeated]]:
        spending.pay(arm, [task])
    assert spending.spent.total == pytest.approx(TABLE.exhaustive(columns=3, arms=4).total)


@given(st.lists(st.sampled_from(CELLS), max_size=10), st.sampled_from(PLANE.arms()), st.sets(st.sampled_from("AB")))
def test_asking_for_a_price_buys_nothing_and_names_what_paying_takes(bought, arm, tasks):
    spending = Spending(TABLE)
    for other, task in bought:
        spending.pay(other, [task])
    before = spending.spent
    price = spending.price(arm, tasks)
    assert spending.spent == before
    assert spending.pay(arm, tasks) == price


def test_texts_that_tasks_share_are_paid_once_whoever_comes_first():
    shared = CostTable(10.0, {"A": 4.0, "B": 2.0}, {"A": 0.1, "B": 0.2}, needs={"A": ("A",), "B": ("A", "B")})
    for order in ("AB", "BA"):
        spending = Spending(shared)
        for task in order:
            spending.pay(PLANE.arms()[0], [task])
        assert spending.spent == Cost(10.0, pytest.approx(6.0), pytest.approx(0.3))
    assert Spending(shared).price(PLANE.arms()[0], ["B"]).embed == 6.0


def test_cells_of_a_column_bought_together_cost_what_they_cost_one_by_one():
    together, single = Spending(TABLE), Spending(TABLE)
    first, second, *_ = PLANE.arms()
    for spending in (together, single):
        spending.pay(first, ["A"])
    price = together.price_column("step0", [(arm.place, task) for arm in (first, second) for task in "AB"])
    single.pay(first, ["B"])
    single.pay(second, ["A", "B"])
    assert price.total == pytest.approx(single.spent.total - together.spent.total)


def test_costs_from_sizes_keep_their_ratios():
    costs = AnalyticCosts(
        flops=1e9, read=1e6, open=0.5, characters_per_token=4, score={"Clustering": 0.01, "other": 0.001}
    )
    sizes = {"C": TaskSize("Clustering", 100, 8000, ("C",)), "S": TaskSize("STS", 100, 4000, ("C", "S"))}
    table = costs.table(250_000, sizes)
    assert table.load == pytest.approx(0.5 + 1.0)  # 4 bytes a parameter
    assert table.embed == {"C": pytest.approx(1.0), "S": pytest.approx(0.5)}  # 2 FLOPs a parameter and token
    assert table.score == {"C": pytest.approx(1.0), "S": pytest.approx(0.1)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flops": 0.0}, "flops: must be > 0, got 0"),
        ({"read": float("nan")}, "read: must be > 0, got nan"),
        ({"characters_per_token": -1.0}, "characters_per_token: must be > 0"),
        ({"open": -1.0}, "open: must be a finite number >= 0, got -1"),
        ({"score": {"other": float("nan")}}, "score.other: must be a finite number >= 0, got nan"),
        ({"score": {"STS": 1.0}}, "score: needs an entry 'other'"),
    ],
)
def test_refuses_costs_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        AnalyticCosts(**options)
