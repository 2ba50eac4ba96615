"""The log of decisions: written before they are carried out, and compared when they are made again."""

import json

import pytest

from tl_search.plane.arm import Arm
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.pull import Cost, Observation, Pull, Recommendation
from tl_search.plane.revision import Revision
from tl_search.search.trajectory import Trajectory

ARM = Arm("m", Revision("step4", 4, weights="w", tokenizer="t"), 1, Extraction(dtype=Dtype.float32))


def begin(folder):
    return Trajectory(folder, "m", "p", 10.0)


def pull(trajectory, *tasks):
    trajectory.decide(ARM, tasks)
    told = Observation(Pull(len(trajectory.steps), ARM, tasks), dict.fromkeys(tasks, 50.0), Cost(score=1.0))
    trajectory.observe(told, 1.0 + len(trajectory.steps), Recommendation(ARM, 50.0, 1.0))


def test_a_decision_is_on_disk_before_it_is_carried_out(tmp_path):
    begin(tmp_path).decide(ARM, ("A", "B"))
    assert json.loads((tmp_path / "pulls.jsonl").read_text()) == {"t": 0, "arm": ["step4", 1], "tasks": ["A", "B"]}


def test_the_same_decisions_again_write_nothing_and_new_ones_follow(tmp_path):
    first = begin(tmp_path)
    pull(first, "A")
    pull(first, "B")
    again = begin(tmp_path)
    pull(again, "A")
    assert again.resuming
    pull(again, "B")
    assert not again.resuming
    again.end()
    pull(again, "C")
    assert [decision.tasks for decision in begin(tmp_path).before] == [("A",), ("B",), ("C",)]


def test_another_decision_is_refused_and_both_are_named(tmp_path):
    pull(begin(tmp_path), "A")
    with pytest.raises(ValueError, match=r"line 1 pulls step4/layer 1 on A, .* now would pull step4/layer 1 on B; "):
        begin(tmp_path).decide(ARM, ("B",))


def test_an_end_before_the_end_of_the_log_is_refused(tmp_path):
    pull(begin(tmp_path), "A")
    with pytest.raises(ValueError, match="line 1 pulls step4/layer 1 on A, but the search now would end"):
        begin(tmp_path).end()


def test_the_view_has_shares_of_the_exhaustive_cost(tmp_path):
    trajectory = begin(tmp_path)
    pull(trajectory, "A")
    trajectory.write(None, "budget")
    state = json.loads((tmp_path / "bandit_state.json").read_text())
    assert (state["policy"], state["stopped"], state["posterior"]) == ("p", "budget", None)
    assert (state["trajectory"][0]["share"], state["trajectory"][0]["recommended"]["arm"]) == (0.1, ["step4", 1])
