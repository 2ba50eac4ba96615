"""A branch begins with the very state of its parent, and does otherwise only what its settings say."""

import json
import warnings
from dataclasses import replace

import pytest
import torch
from lightning.pytorch import Callback
from tiny_run import PLAN, At, PowerCut, cut, plan, same, weights

from tl_search.checkpoints.run import RunCheckpoints
from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.plane.horizon import Horizon
from tl_search.runs.index import read_index
from tl_search.runs.record import RunRecord
from tl_search.store.atomic import read_json
from tl_search.store.manifest import read_manifest
from tl_search.training.branch import Branch, DataOrder, OnRestore, OptimizerState
from tl_search.training.families.pythia import Pythia
from tl_search.training.fit import fit
from tl_search.training.horizon import timeline_of
from tl_search.training.optim import AdamW, LrPolicy, branched_phases, phases_of
from tl_search.training.retention import Checkpointing

KEPT = Checkpointing(save_interval=4, save_last=9)
OTHER = Curriculum(
    {"a": Stage(steps=6), "b": Stage(steps=4, data={"noise": 0.3}), "c": Stage(weights={"next_token": 2})}
)


class Witness(Callback):
    """What each step was trained with."""

    def __init__(self):
        self.weights, self.rates, self.batches = {}, {}, {}

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        step = trainer.global_step
        self.weights[step], self.batches[step] = dict(module.weights), batch
        self.rates[step] = trainer.optimizers[0].param_groups[0]["lr"]


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    """(a run of 14 steps with the states of steps 4, 8, 12 and 14, what it was trained with)"""
    folder, witness = tmp_path_factory.mktemp("parent"), Witness()
    fit(plan(folder, checkpoint=KEPT, callbacks={"witness": witness}), folder / "run")
    return folder / "run", witness


def branched(parent, step=8, **changes):
    """The parent's plan as a branch, and who watches it."""
    witness = Witness()
    asked = {"branch_from": f"{parent[0]}@step{step}", "callbacks": {"witness": witness}, **changes}
    return plan(parent[0].parent, **asked), witness


def record_of(run):
    return RunRecord.read(run).parent


@pytest.mark.parametrize("step", [8, 12])  # within an epoch of 6 steps, and at the end of one
def test_a_branch_that_changes_nothing_is_its_parent_bit_for_bit(parent, tmp_path, step):
    asked, witness = branched(parent, step)
    fit(asked, tmp_path / "run")
    assert same(weights(tmp_path / "run"), weights(parent[0]))
    assert witness.rates == {at: rate for at, rate in parent[1].rates.items() if at >= step}
    assert all(torch.equal(batch, parent[1].batches[at]) for at, batch in witness.batches.items())


def test_the_record_says_whose_state_it_was_and_what_is_different(parent, tmp_path):
    run = tmp_path / "run"
    asked, _ = branched(parent, curriculum=OTHER, seed=3)
    fit(asked, run)
    found = record_of(run)
    assert (found.folder, found.step, found.digest) == (parent[0], 8, RunRecord.read(parent[0]).digest)
    state = parent[0] / "checkpoints" / "step8"
    assert found.sha256 == read_manifest(state)["files"]["state.ckpt"]["sha256"]
    assert found.changed["seed"] == [0, 3]
    assert {key.split(".")[0] for key in found.changed} == {"seed", "curriculum"}
    assert found.stage["name"] == "late"
    assert read_json(run / "run.json")["parent"]["step"] == 8


def test_the_plane_of_a_branch_begins_at_its_first_step(parent, tmp_path):
    run = tmp_path / "run"
    fit(branched(parent, 12)[0], run)
    assert same(weights(run, "step12"), weights(parent[0], "step12"))
    assert [revision.step for revision in RunCheckpoints(str(run)).listed()] == [12, 13, 14]


def test_a_cut_branch_goes_on_by_itself_even_when_its_parent_is_gone(parent, tmp_path):
    whole, run = tmp_path / "whole", tmp_path / "run"
    policies = {"branch": Branch(lr=LrPolicy.restart, data=DataOrder.restart), "seed": 5, "trainer": {"max_steps": 18}}
    fit(branched(parent, curriculum=OTHER, **policies)[0], whole)
    with pytest.raises(PowerCut):
        fit(branched(parent, curriculum=OTHER, **policies, callbacks={"cut": At(13, cut)})[0], run)
    gone = branched(parent, curriculum=OTHER, **policies)[0]
    witness = gone.callbacks["witness"]
    fit(replace(gone, branch_from=f"{tmp_path / 'gone'}@step8"), run)
    assert same(weights(run), weights(whole))
    assert read_index(run) == read_index(whole)
    assert all(held == dict(OTHER.stage_at(step).weights) for step, held in witness.weights.items())


def test_by_level_the_branch_is_in_the_stage_into_which_its_step_falls(parent, tmp_path):
    asked, witness = branched(parent, curriculum=OTHER)
    fit(asked, tmp_path / "run")
    assert witness.weights == {step: dict(OTHER.stage_at(step).weights) for step in range(8, 14)}
    assert {step: batch.dim() == 3 for step, batch in witness.batches.items()} == {
        step: step < 10 for step in range(8, 14)
    }
    state = torch.load(tmp_path / "run" / "checkpoints" / "step14" / "state.ckpt", weights_only=True)
    held = state["callbacks"]["CurriculumStages"]
    assert (held["name"], held["step_in_stage"]) == ("c", 4)


def test_skipping_what_has_passed_keeps_the_parents_values_until_the_next_stage(parent, tmp_path):
    asked, witness = branched(parent, curriculum=OTHER, branch=Branch(on_restore=OnRestore.skip_passed))
    fit(asked, tmp_path / "run")
    late = dict(PLAN.curriculum.stage_at(8).weights)
    assert witness.weights == {step: late if step < 10 else {"next_token": 2} for step in range(8, 14)}
    assert {batch.dim() for batch in witness.batches.values()} == {2}
    assert [line.stage for line in read_index(tmp_path / "run")] == ["late", "late", "c", "c", "c"]


def test_a_branch_of_a_branch_has_the_stage_that_its_parent_had(parent, tmp_path):
    skipping = Branch(on_restore=OnRestore.skip_passed)
    asked, _ = branched(parent, curriculum=OTHER, branch=skipping, checkpoint=replace(KEPT, save_interval=1))
    fit(asked, tmp_path / "run")
    again = {"branch_from": f"{tmp_path / 'run'}@step9", "curriculum": Curriculum({"x": Stage(steps=12), "y": Stage()})}
    asked, witness = branched(parent, **again, branch=skipping)
    fit(asked, tmp_path / "again")
    late = dict(PLAN.curriculum.stage_at(8).weights)
    assert [witness.weights[step] for step in (9, 10, 11, 12)] == [late, late, late, {"next_token": 1}]


RATE = AdamW(lr=1e-2, warmup_steps=2)
AFTER = {
    LrPolicy.keep: lambda step: RATE.share_at(step, 14),
    LrPolicy.rescale: lambda step: RATE.share_at(step, 20),
    LrPolicy.restart: lambda step: RATE.share_at(step - 8, 12),
}


@pytest.mark.parametrize("policy", list(LrPolicy), ids=lambda policy: policy.value)
def test_the_rate_of_a_longer_branch_follows_its_policy(policy):
    phases = phases_of((), 20, branched_phases(phases_of((), 14), 8, 20, policy))
    timeline = timeline_of(PLAN, Horizon(20), 6, phases)
    found = [RATE.rate_at(step, timeline.phase_at(step)) for step in range(20)]
    assert found == [RATE.share_at(step, 14) if step < 8 else AFTER[policy](step) for step in range(20)]


def test_a_branch_of_another_length_than_the_rate_was_planned_for_is_warned_of(parent, tmp_path):
    asked, witness = branched(parent, branch=Branch(lr=LrPolicy.rescale), trainer={"max_steps": 20})
    with pytest.warns(UserWarning, match=r"planned for 14 steps, the run now has 20: .*\(branch\.lr=rescale;"):
        fit(asked, tmp_path / "run")
    assert witness.rates == {step: 1e-2 * AFTER[LrPolicy.rescale](step) for step in range(8, 20)}


def test_a_branch_of_the_planned_length_is_not_warned_of_and_may_restart_its_rate(parent, tmp_path):
    asked, witness = branched(parent, branch=Branch(lr=LrPolicy.restart))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(asked, tmp_path / "run")
    assert witness.rates == {step: 1e-2 * RATE.share_at(step - 8, 6) for step in range(8, 14)}


def test_a_branch_that_is_made_longer_keeps_the_rate_that_it_branched_with(parent, tmp_path):
    run = tmp_path / "run"
    fit(branched(parent, branch=Branch(lr=LrPolicy.restart))[0], run)
    asked, witness = branched(
        parent,
        branch=Branch(lr=LrPolicy.restart),
        trainer={"max_steps": 17},
        resume=str(run),
        lr_policy=LrPolicy.rescale,
    )
    fit(asked, run)
    assert witness.rates == {step: 1e-2 * RATE.share_at(step, 17) for step in range(14, 17)}
    assert record_of(run).phases == ((0, 0, 14), (8, 8, 6))


def test_other_settings_of_the_optimizer_hold_with_the_moments_of_the_parent(parent, tmp_path):
    asked, witness = branched(parent, optimizer=AdamW(lr=2e-2, warmup_steps=2, weight_decay=0.3))
    fit(asked, tmp_path / "run")
    assert witness.rates[8] == 2 * parent[1].rates[8]
    last = torch.load(tmp_path / "run" / "checkpoints" / "step14" / "state.ckpt", weights_only=True)
    assert float(last["optimizer_states"][0]["state"][0]["step"]) == 14
    assert last["optimizer_states"][0]["param_groups"][0]["weight_decay"] == 0.3


def test_a_reset_optimizer_begins_without_moments_at_the_rate_of_its_step(parent, tmp_path):
    asked, witness = branched(parent, branch=Branch(optimizer=OptimizerState.reset))
    fit(asked, tmp_path / "run")
    last = torch.load(tmp_path / "run" / "checkpoints" / "step14" / "state.ckpt", weights_only=True)
    assert float(last["optimizer_states"][0]["state"][0]["step"]) == 6
    assert witness.rates == {at: rate for at, rate in parent[1].rates.items() if at >= 8}
    assert not same(weights(tmp_path / "run"), weights(parent[0]))


@pytest.mark.slow_but_one
@pytest.mark.parametrize("step", [8, 12])
def test_a_restarted_order_is_that_of_the_branchs_seed_and_reads_every_block_once_an_epoch(parent, tmp_path, step):
    seen = {}
    for seed in (1, 2):
        run = tmp_path / f"run{seed}"
        policies = {"seed": seed, "branch": Branch(data=DataOrder.restart), "trainer": {"max_steps": step + 12}}
        asked, witness = branched(parent, step, **policies)
        fit(asked, run)
        assert sorted(witness.batches) == list(range(step, step + 12))
        for first in (step, step + 6):
            rows = torch.cat([witness.batches[at] for at in range(first, first + 6)])
            assert len(rows.unique(dim=0)) == 23  # of 24 blocks, two of which have the same text
        seen[seed] = witness.batches
        assert [line.epoch for line in read_index(run) if line.step in (step, step + 6, step + 12)] == [2, 3, 4]
    assert not torch.equal(seen[1][step], seen[2][step])


def test_branches_with_one_seed_are_paired_in_what_they_read(parent, tmp_path):
    read = []
    for number, curriculum in enumerate((OTHER, PLAN.curriculum)):
        policies = {"seed": 7, "branch": Branch(data=DataOrder.restart)}
        asked, witness = branched(parent, curriculum=curriculum, **policies)
        fit(asked, tmp_path / str(number))
        read.append({step: batch[1] if batch.dim() == 3 else batch for step, batch in witness.batches.items()})
    assert all(torch.equal(read[0][step], read[1][step]) for step in range(8, 14))


@pytest.mark.slow
def test_the_average_of_the_weights_is_taken_over(tmp_path):
    kept = replace(KEPT, weights=KEPT.weights.ema)
    asked = {"ema_decay": 0.8, "checkpoint": kept}
    fit(plan(tmp_path, **asked), tmp_path / "whole")
    fit(plan(tmp_path, **asked, branch_from=f"{tmp_path / 'whole'}@step8"), tmp_path / "run")
    assert same(weights(tmp_path / "run"), weights(tmp_path / "whole"))


def test_what_is_measured_begins_anew_with_the_branch(parent, tmp_path):
    asked, _ = branched(parent, callbacks=PLAN.callbacks)
    fit(asked, tmp_path / "run")
    lines = read_index(tmp_path / "run")
    assert lines[0].best == lines[0].eval_loss
    assert json.loads((tmp_path / "run" / "checkpoints" / "best.json").read_text())["step"] >= 8


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"model": Pythia(32, 2, 2, 16, dropout=0.1)},
            "is of another architecture: model.width was 16, now 32; a branch",
        ),
        ({"ema_decay": 0.9}, r"^ema_decay: must stay as in \S+run, None, got 0\.9$"),
        ({"trainer": {"precision": "bf16-true"}}, r"^trainer\.precision: must stay as in"),
        ({"trainer": {"accumulate_grad_batches": 2}}, r"^branch\.data: must be restart, .*accumulate_grad_batches was"),
        ({"optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1}}, r"^branch\.optimizer: must be reset, since"),
        ({"trainer": {"max_steps": 8}}, r"^trainer\.max_steps: must be > 8, where the branch begins, got 8$"),
        ({"branch_from": "nowhere@step8"}, r"^branch_from: there is no folder nowhere"),
    ],
)
def test_what_a_branch_cannot_be_is_refused_and_nothing_is_trained(parent, tmp_path, changes, said):
    asked, witness = branched(parent, **changes)
    with pytest.raises(ValueError, match=said):
        fit(asked, tmp_path / "run")
    assert not witness.weights
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("@step5", r"has no training state step5; states: step14, step12, step8, step4$"),
        ("@step2", r"@step2 has weights but no full training state; states: "),
        ("", r"^branch_from: must be RUN@stepN or RUN@best, got .*run, which names no state; states: step4, step8, "),
    ],
)
def test_a_branch_needs_a_full_state_and_those_that_exist_are_listed(parent, tmp_path, name, said):
    with pytest.raises(ValueError, match=said):
        fit(branched(parent, branch_from=f"{parent[0]}{name}")[0], tmp_path / "run")


def test_policies_without_a_parent_are_refused():
    with pytest.raises(ValueError, match=r"^branch: must be left out without branch_from=RUN@stepN"):
        replace(PLAN, branch=Branch(lr=LrPolicy.restart))


def test_a_parent_that_was_trained_anew_is_not_taken_for_the_one_that_was(parent, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(PowerCut):
        fit(branched(parent, callbacks={"cut": At(9, cut)})[0], run)
    for state in (run / "checkpoints").glob("step*"):
        state.rename(tmp_path / state.name)
    record = RunRecord.read(run)
    replace(record, parent=replace(record.parent, sha256="0" * 64)).write(run)
    with pytest.raises(ValueError, match=r"step8 is not the state that \S+ was branched from \(sha256 000000000000…\)"):
        fit(branched(parent)[0], run)
