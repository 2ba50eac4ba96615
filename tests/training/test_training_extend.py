"""A run that is made longer, or set back, is as exact as one that was never touched."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_run import PLAN, At, PowerCut, cut, plan, same, weights

from tl_search.plane.horizon import Horizon
from tl_search.plane.schedules.linear import LinearSchedule
from tl_search.runs.index import read_index
from tl_search.runs.states import states_of
from tl_search.store.atomic import read_json
from tl_search.training.extend import extension
from tl_search.training.fit import fit
from tl_search.training.horizon import timeline_of
from tl_search.training.optim import AdamW, LrPolicy, Phase, phases_of

# 10 planned steps of rate 1.0 after 2 of warm-up, made 20 at step 10
RATE = AdamW(lr=1.0, warmup_steps=2, final_share=0.1)


without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has what is asked for")


def copied(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run", symlinks=True))


def longer(finished, run, **changes):
    """The plan of 20 steps for a copy of the run of 14."""
    return plan(finished.parent, **{"resume": str(run), "trainer": {"max_steps": 20}, **changes})


def snapshot(run):
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.parent.name != "run.lock"}


def rates(policy):
    history = [{"step": 10, "total": [10, 20], "lr_policy": policy}]
    timeline = timeline_of(PLAN, Horizon(20), 20, phases_of(history, 20))
    return [round(RATE.rate_at(step, timeline.phase_at(step)), 4) for step in range(20)]


PLANNED = [0.5, 1.0, 1.0, 0.9554, 0.8306, 0.6501, 0.4499, 0.2694, 0.1446, 0.1]
RESCALED = [0.5915, 0.5085, 0.4269, 0.3494, 0.2788, 0.2174, 0.1674, 0.1304, 0.1077, 0.1]


@pytest.mark.parametrize(
    ("policy", "after"),
    [
        ("keep", [0.1] * 10),
        ("rescale", RESCALED),
        ("restart", PLANNED),
    ],
)
def test_the_rate_of_a_longer_run(policy, after):
    assert rates(policy)[:10] == PLANNED
    assert rates(policy)[10:] == after


def test_a_run_that_was_set_back_and_changed_again_forgets_the_later_change():
    history = [
        {"step": 10, "total": [10, 20], "lr_policy": "restart"},
        {"step": 4, "total": [20, 30], "lr_policy": "rescale"},
    ]
    assert phases_of(history, 30) == (Phase(0, 0, 10), Phase(4, 0, 30))


@pytest.mark.parametrize(("policy", "length"), [("keep", 10), ("rescale", 20), ("restart", 20)])
def test_a_change_before_the_first_step_has_its_policy_from_the_first_step_on(policy, length):
    now = {"step": 0, "total": [10, 20], "lr_policy": policy}
    later = {"step": 4, "total": [10, 15], "lr_policy": "restart"}
    for history in ([now], [later, now]):  # the second was set back to its beginning
        assert phases_of(history, 20) == (Phase(0, 0, length),)


@pytest.mark.parametrize("policy", list(LrPolicy), ids=lambda policy: policy.value)
def test_a_finished_run_goes_on_with_the_rate_of_its_policy(finished, tmp_path, policy):
    run, seen = copied(finished, tmp_path), {}

    class Rates(At):
        def on_train_batch_start(self, trainer, *_):
            seen[trainer.global_step] = trainer.optimizers[0].param_groups[0]["lr"]

    with pytest.warns(UserWarning, match=f"planned for 14 steps, the run now has 20: .*lr_policy={policy.value}"):
        fit(longer(finished, run, lr_policy=policy, callbacks={"rates": Rates(-1, None)}), run)
    rate = AdamW(lr=1e-2, warmup_steps=2)
    curve = {
        LrPolicy.keep: lambda step: rate.share_at(step, 14),
        LrPolicy.rescale: lambda step: rate.share_at(step, 20),
        LrPolicy.restart: lambda step: rate.share_at(step - 14, 6),
    }[policy]
    assert seen == {step: 1e-2 * curve(step) for step in range(14, 20)}
    assert read_json(run / "DONE.json")["step"] == 20
    assert not same(weights(run), weights(finished))


@pytest.mark.slow_but_one
@pytest.mark.parametrize("policy", list(LrPolicy), ids=lambda policy: policy.value)
def test_a_cut_extension_ends_like_one_that_was_not(finished, tmp_path, policy):
    whole, run = copied(finished, tmp_path / "whole"), copied(finished, tmp_path / "cut")
    fit(longer(finished, whole, lr_policy=policy), whole)
    for step in (15, 18):
        with pytest.raises(PowerCut):
            fit(longer(finished, run, lr_policy=policy, callbacks={"cut": At(step, cut)}), run)
    fit(longer(finished, run), run)  # its record knows the policy
    assert same(weights(run), weights(whole))
    assert read_index(run) == read_index(whole)
    assert len(read_json(run / "run.json")["history"]) == 1


def test_a_stopped_run_is_made_longer_and_keeps_what_it_has_written(finished, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(PowerCut):
        fit(plan(finished.parent, callbacks={"cut": At(9, cut)}), run)
    fit(longer(finished, run), run)
    before = {line.name: line for line in read_index(finished)}
    after = {line.name: line for line in read_index(run)}
    (entry,) = read_json(run / "run.json")["history"]
    early = {name: line for name, line in before.items() if line.step <= entry["step"]}
    assert early.items() <= after.items()
    assert entry["total"] == [14, 20]


def test_later_steps_follow_another_schedule_and_earlier_ones_stay(finished, tmp_path):
    run = copied(finished, tmp_path)
    before = [line.step for line in read_index(run)]
    every = LinearSchedule(first_epoch_checkpoints=None, linear_interval=2)
    fit(longer(finished, run, schedule=every), run)
    after = [line.step for line in read_index(run)]
    assert after[: len(before)] == before
    assert len(after) > len(before) + 1


def test_a_record_that_is_older_than_its_done_file_is_no_finished_run(finished, tmp_path):
    """A kill between the new record and the removal of DONE.json."""
    run = copied(finished, tmp_path)
    done = (run / "DONE.json").read_text()
    with pytest.raises(PowerCut):
        fit(longer(finished, run, callbacks={"cut": At(15, cut)}), run)
    (run / "DONE.json").write_text(done)
    fit(longer(finished, run), run)
    assert read_json(run / "DONE.json")["step"] == 20


def test_a_run_is_set_back_once_and_then_goes_on(finished, tmp_path):
    run = copied(finished, tmp_path)
    older = states_of(run)[-1][0].name
    back = plan(finished.parent, resume=f"{run}@{older}")
    with pytest.raises(PowerCut):
        fit(replace(back, callbacks={"cut": At(14, cut)}), run)
    assert (run / "quarantine" / "step14").is_dir()
    fit(back, run)
    assert same(weights(run), weights(finished))
    assert not (run / "checkpoints" / "rewound.json").exists()


def test_only_a_path_makes_a_run_longer_and_what_is_done_is_not_cut_off(finished, tmp_path):
    run = copied(finished, tmp_path)
    with pytest.raises(ValueError, match=r"another configuration: trainer\.max_steps was 14, now 20"):
        fit(longer(finished, run, resume="auto"), run)
    with pytest.raises(ValueError, match="is already at step 14 >= max_steps 12, so nothing is left to do"):
        fit(longer(finished, run, trainer={"max_steps": 12}), run)
    with pytest.raises(ValueError, match=r"optimizer\.lr was 0\.01, now 0\.5"):
        extension(run, longer(finished, run, optimizer=AdamW(lr=0.5, warmup_steps=2)).identity())
    assert read_json(run / "DONE.json") == read_json(finished / "DONE.json")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"trainer": {"max_steps": 20, "accelerator": "cuda"}}, r"^trainer\.accelerator: no CUDA", marks=without_cuda
        ),
        (
            {"trainer": {"max_steps": -1, "max_epochs": 2}},
            r"^trainer\.max_epochs: \S+ is already at step 14, and max_epochs 2 ends at 12; set a higher \S+s$",
        ),
        (
            {"trainer": {"max_steps": 40, "max_epochs": 1}},
            r"max_epochs 1 ends at 6; set a higher trainer\.max_epochs, or null, so that the run ends at max_steps 40",
        ),
        ({"schedule": LinearSchedule(None, 7, checkpoint_schedule=(5, 5000))}, r"checkpoint_schedule\[1\]: must be at"),
    ],
)
def test_a_change_that_is_refused_has_changed_nothing(finished, tmp_path, changes, said):
    run, accepted = copied(finished, tmp_path), []
    before = snapshot(run)
    with pytest.raises(ValueError, match=said):
        fit(longer(finished, run, cache=tmp_path / "cache", **changes), run, lambda: accepted.append(True))
    assert snapshot(run) == before
    assert not accepted


def test_a_run_that_was_limited_by_epochs_goes_on_to_a_step_without_them(tmp_path):
    trainer, run = {"max_steps": -1, "max_epochs": 1}, tmp_path / "run"
    fit(plan(tmp_path, trainer=trainer), run)
    fit(plan(tmp_path, trainer={"max_steps": 8, "max_epochs": None}, resume=str(run)), run)
    assert read_json(run / "DONE.json")["step"] == 8


def test_a_run_of_epochs_is_made_longer_by_epochs(tmp_path):
    trainer = {"max_steps": -1, "max_epochs": 1}
    fit(plan(tmp_path, trainer=trainer), tmp_path / "run")
    fit(plan(tmp_path, trainer={**trainer, "max_epochs": 2}, resume=str(tmp_path / "run")), tmp_path / "run")
    assert read_json(tmp_path / "run" / "run.json")["history"][0]["total"] == [6, 12]
    assert read_json(tmp_path / "run" / "DONE.json")["step"] == 12
