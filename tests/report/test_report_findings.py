"""Reading a search run: what is there comes through, what is broken is named."""

import json

import numpy as np
import pytest
from synthetic_run import write_search_run

from tl_search.plane.arm_name import ArmName
from tl_search.report.findings import read_findings
from tl_search.report.pull_statistics import measured_objective, regret, scored_tasks, turning_points


def test_reads_what_the_run_wrote(tmp_path):
    found = read_findings(write_search_run(tmp_path, revisions=9, n_layers=5, pulls=12))
    written = json.loads((tmp_path / "result.json").read_text())
    assert found.plane.shape == (9, 6)
    assert [step.t for step in found.trajectory] == list(range(12))
    assert found.best == ArmName(*written["best"]["arm"])
    assert found.outcome.best.confirmation.objective == written["best"]["confirmation"]["objective"]
    assert found.outcome.cost.search.total == pytest.approx(found.trajectory[-1].spent)
    assert found.mean.shape == (9, 6)
    assert found.checkpoints == "runs/train/quickstart"
    assert found.versions == {"mteb": "2.26.0"}


def test_a_run_without_result_names_the_arm_that_the_policy_would_name(tmp_path):
    found = read_findings(write_search_run(tmp_path, finished=False, pulls=5))
    assert found.outcome is None
    assert found.stopped is None
    assert found.best == found.trajectory[-1].recommended.arm


@pytest.mark.parametrize("name", ["plane.json", "bandit_state.json"])
def test_a_missing_file_is_one_line_that_names_it(tmp_path, name):
    (write_search_run(tmp_path, pulls=2) / name).unlink()
    with pytest.raises(ValueError) as error:
        read_findings(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / name}: missing")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["plane.json", "bandit_state.json", "result.json", "run.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "null", "3", '{"tasks": 1, "versions": 7}', "\x00\x01"])
def test_a_damaged_file_is_one_line_that_names_it(tmp_path, name, content):
    (write_search_run(tmp_path, pulls=2) / name).write_text(content)
    with pytest.raises(ValueError) as error:
        read_findings(tmp_path)
    assert str(tmp_path / name) in str(error.value)
    assert "damaged" in str(error.value)
    assert "\n" not in str(error.value)


def change(folder, name, edit):
    value = json.loads((folder / name).read_text())
    edit(value)
    (folder / name).write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("bandit_state.json", lambda v: v["trajectory"][0].update(arm=["step7", 1]), "step7/layer 1, which is not on"),
        ("bandit_state.json", lambda v: v["trajectory"][0].update(arm=["step0", 99]), "step0/layer 99"),
        ("bandit_state.json", lambda v: v["trajectory"][0]["scores"].update(SciDocsRR="high"), "high"),
        ("bandit_state.json", lambda v: v["posterior"]["mean"].pop(), r"posterior.mean has shape \(11, 7\)"),
        ("result.json", lambda v: v["best"].update(arm=["elsewhere", 1]), "elsewhere/layer 1"),
        ("result.json", lambda v: v["best"].update(arm="step0"), "an arm must be"),
        ("result.json", lambda v: v["tasks"][0].update(verdict="splendid"), "verdict: must be one of"),
        ("result.json", lambda v: v["best"]["confirmation"].update(interval=[3, 1]), "interval: must be"),
        ("result.json", lambda v: v.pop("gains"), "has no entry 'gains'"),
    ],
)
def test_contents_that_do_not_fit_the_plane_are_refused(tmp_path, name, edit, message):
    change(write_search_run(tmp_path, pulls=4), name, edit)
    with pytest.raises(ValueError, match=message) as error:
        read_findings(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / name}: damaged")


def hand_made(tmp_path, scored, named, posterior=None):
    """Two tasks on 2 revisions × 3 layers; `scored`: (layer of the last revision, scores) by pull."""
    tasks = {"A": "STS", "B": "STS"}
    write_search_run(tmp_path, revisions=2, n_layers=2, pulls=len(scored), tasks=tasks, posterior=False, finished=False)

    def edit(value):
        last = json.loads((tmp_path / "plane.json").read_text())["revisions"][-1]["name"]
        for step, (layer, scores), (told, mean) in zip(value["trajectory"], scored, named, strict=True):
            step.update(arm=[last, layer], scores=scores, recommended={"arm": [last, told], "mean": mean, "sd": 0})
        value["posterior"] = posterior

    change(tmp_path, "bandit_state.json", edit)
    return read_findings(tmp_path)


def test_an_arm_has_an_objective_only_when_every_task_is_scored_and_failed_cells_do_not_count(tmp_path):
    scored = [(0, {"A": 10.0}), (0, {"B": 30.0}), (1, {"A": 50.0, "B": None}), (2, {"A": 40.0, "B": 60.0})]
    found = hand_made(tmp_path, scored, [(0, 1)] * 4)
    assert measured_objective(found)[1].tolist() == pytest.approx([20.0, np.nan, 50.0], nan_ok=True)
    assert scored_tasks(found).tolist() == [[0, 0, 0], [2, 1, 2]]


def test_regret_is_the_distance_of_the_named_arm_to_the_best_that_was_looked_at(tmp_path):
    scored = [(layer, {"A": value, "B": value}) for layer, value in ((0, 20.0), (1, 45.0), (2, 50.0))]
    assert regret(hand_made(tmp_path, scored, [(0, 20), (1, 45), (2, 50)])) == [30.0, 5.0, 0.0]


def test_regret_takes_the_belief_of_an_arm_that_was_never_measured_on_every_task(tmp_path):
    belief = {"mean": [[0, 0, 99], [20, 52, 50]], "sd": [[1, 1, 1]] * 2}
    scored = [(0, {"A": 20.0, "B": 20.0}), (1, {"A": 45.0}), (2, {"A": 50.0, "B": 50.0})]
    assert regret(hand_made(tmp_path, scored, [(0, 20), (1, 45), (2, 50)], belief)) == [32.0, 0.0, 2.0]


def test_turning_points_are_the_pulls_that_changed_the_choice_and_the_last(tmp_path):
    scored = [(0, {"A": 1.0, "B": 1.0})] * 5
    found = hand_made(tmp_path, scored, [(0, 1), (0, 1), (2, 1), (2, 1), (2, 1)])
    assert [step.t for step in turning_points(found.trajectory)] == [0, 2, 4]


def test_layer_0_and_step_0_are_controls(tmp_path):
    plane = read_findings(write_search_run(tmp_path, pulls=1)).plane
    last = plane.revisions[-1].name
    assert [plane.is_control(ArmName(*spot)) for spot in ((last, 0), ("step0", 3), (last, 1))] == [True, True, False]
    exhaustive = plane.exhaustive
    assert (exhaustive.load, exhaustive.embed) == pytest.approx((1.7 * 12, 66 * 12))
    assert exhaustive.score == pytest.approx(9.2 * 12 * 7)
