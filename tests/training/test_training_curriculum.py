"""Stages: every value holds from the very step at which its stage begins, also after a restore and in workers."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from tiny_run import At, PowerCut, cut, plan, same, weights

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.runs.index import read_index
from tl_search.training.callbacks.curriculum_stages import CurriculumStages
from tl_search.training.data import BlockLoader
from tl_search.training.fit import fit
from tl_search.training.ordered import Origin
from tl_search.training.stage_data import NAMES, BatchForm, check_data, formed

# 14 steps of batches of 4 blocks of 16 tokens, 6 steps in an epoch: stages begin in the middle of epochs and at none.
STAGES = Curriculum(
    {
        "short": Stage(steps=5, data={"sequence_length": 4}),
        "noisy": Stage(steps=4, weights={"next_token": 1, "log_normaliser": 0.1}, data={"noise": 0.5}),
        "whole": Stage(weights={"next_token": 0.5}),
    },
    name="three",
)
FORMS = {"short": ((16, 5), False), "noisy": ((2, 4, 17), True), "whole": ((4, 17), False)}
TOKENS = np.arange(2001, dtype=np.uint16)


class Witness(Callback):
    """What each step was trained with: the step, the weights, and the shape of its batch and whether it had noise."""

    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        noisy = batch.dim() == 3 and bool((batch[0] != batch[1]).any())
        self.seen.append((trainer.global_step, dict(module.weights), tuple(batch.shape), noisy))


def expected(steps):
    held = [(step, STAGES.stage_at(step)) for step in steps]
    return [(step, dict(stage.weights), *FORMS[stage.name]) for step, stage in held]


def staged(folder, **changes):
    return plan(folder, **{"curriculum": STAGES, "save_interval": 100, "eval_interval": 100, **changes})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder, witness = tmp_path_factory.mktemp("whole"), Witness()
    fit(staged(folder, callbacks={"witness": witness}), folder / "run")
    return folder / "run", witness.seen


def test_every_step_has_the_weights_and_the_data_of_its_stage(whole):
    assert whole[1] == expected(range(14))


def test_a_step_of_several_batches_has_one_stage(tmp_path):
    witness, text = Witness(), replace(plan(tmp_path).data, batch_size=2)
    accumulated = {"accumulate_grad_batches": 2, "max_steps": 6}
    fit(staged(tmp_path, data=text, trainer=accumulated, callbacks={"witness": witness}), tmp_path / "run")
    assert [(step, weight) for step, weight, *_ in witness.seen] == [
        (step, dict(STAGES.stage_at(step).weights)) for step in range(6) for _ in range(2)
    ]
    assert [shape for *_, shape, _ in witness.seen] == [(8, 5)] * 10 + [(2, 2, 17)] * 2


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_that_prepare_batches_ahead_change_stage_at_the_very_step(whole, tmp_path, workers):
    run, witness = tmp_path / "run", Witness()
    text = replace(plan(whole[0].parent).data, workers=workers)
    fit(staged(whole[0].parent, data=text, callbacks={"witness": witness}), run)
    assert witness.seen == whole[1]
    assert same(weights(run), weights(whole[0]))


@pytest.mark.parametrize(("step", "workers"), [(3, 0), (5, 0), (7, 2), (9, 0), (11, 0)])
@pytest.mark.slow_but_every(2)
def test_a_restore_in_mid_stage_has_every_weight_and_data_parameter_at_once(whole, tmp_path, step, workers):
    run, witness = tmp_path / "run", Witness()
    with pytest.raises(PowerCut):
        fit(staged(whole[0].parent, callbacks={"cut": At(step + 1, cut)}, save_interval=step), run)
    text = replace(plan(whole[0].parent).data, workers=workers)
    fit(staged(whole[0].parent, data=text, callbacks={"witness": witness}), run)
    assert witness.seen == expected(range(step, 14))
    assert same(weights(run), weights(whole[0]))
    assert read_index(run) == read_index(whole[0])


def test_what_the_state_says_of_the_stage_is_not_believed(whole, tmp_path):
    """Only the step decides, so a restore cannot go wrong by what was remembered."""

    class Forgetful(CurriculumStages):
        def load_state_dict(self, state_dict):
            self.stage, self.step = STAGES.stages["short"], 0

    run, witness = tmp_path / "run", Witness()
    with pytest.raises(PowerCut):
        fit(staged(whole[0].parent, callbacks={"cut": At(8, cut)}, save_interval=7), run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CurriculumStages, "load_state_dict", Forgetful.load_state_dict)
        fit(staged(whole[0].parent, callbacks={"witness": witness}), run)
    assert witness.seen == expected(range(7, 14))


def test_the_full_state_says_where_in_the_curriculum_it_is(whole, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(PowerCut):
        fit(staged(whole[0].parent, callbacks={"cut": At(8, cut)}, save_interval=7), run)
    state = torch.load(run / "checkpoints" / "step7" / "state.ckpt", weights_only=True)
    found = state["callbacks"]["CurriculumStages"]
    assert (found["curriculum"], found["stage"], found["name"], found["step_in_stage"]) == ("three", 1, "noisy", 2)
    last = torch.load(whole[0] / "checkpoints" / "step14" / "state.ckpt", weights_only=True)
    assert last["callbacks"]["CurriculumStages"]["digest"] == found["digest"]


def test_a_state_of_another_curriculum_is_not_restored():
    from tl_search.plane.horizon import Horizon
    from tl_search.training.horizon import timeline_of

    parts = plan.__globals__["PLAN"]
    first, other = (
        CurriculumStages(timeline_of(replace(parts, curriculum=found), Horizon(14), 6), 10)
        for found in (STAGES, parts.curriculum)
    )
    with pytest.raises(ValueError, match=r"^curriculum: the state is of three \(\w{8}\), and not of this one$"):
        other.load_state_dict(first.state_dict())
    renamed = replace(STAGES, name="another name for the same")
    CurriculumStages(timeline_of(replace(parts, curriculum=renamed), Horizon(14), 6), 10).load_state_dict(
        first.state_dict()
    )


def test_shorter_sequences_are_the_block_cut_into_parts():
    block = torch.arange(9).reshape(1, 9)
    assert formed(block, BatchForm(4), [], 10).tolist() == [[0, 1, 2, 3, 4], [4, 5, 6, 7, 8]]
    assert formed(block, BatchForm(8), [], 10) is block


def test_noise_changes_what_is_seen_and_not_what_is_to_be_predicted():
    blocks = torch.full((3, 1001), 7)
    seen, text = formed(blocks, BatchForm(1000, noise=0.3), [1, 2, 3], 1000)
    assert torch.equal(text, blocks)
    shares = (seen != text).float().mean(1)
    assert ((shares > 0.25) & (shares < 0.35)).all()
    more, _ = formed(blocks, BatchForm(1000, noise=0.6), [1, 2, 3], 1000)
    assert ((more == seen) | (seen == 7)).all()  # the same tokens are replaced by the same ones, and more


def test_noise_is_of_the_block_on_any_number_of_devices():
    def loader(**changes):
        form = BatchForm(10, noise=0.4)
        return BlockLoader(TOKENS, 10, seed=3, form_at=lambda step: form, vocabulary=2000, **changes)

    alone = next(iter(loader(batch_size=8, batches_per_step=1)))
    ranks = [next(iter(loader(batch_size=4, batches_per_step=1, rank=rank, ranks=2))) for rank in range(2)]
    assert torch.equal(torch.cat(ranks, 1), alone)


def test_an_order_that_begins_later_is_one_of_later_steps():
    asked, origin = [], Origin(epoch=3, step=100)
    loader = BlockLoader(
        TOKENS, 10, 8, 5, seed=3, origin=origin, form_at=lambda step: asked.append(step) or BatchForm(10)
    )
    for _ in range(2):  # epochs of 5 steps
        list(loader)
    assert asked == [step for step in range(100, 110) for _ in range(5)]
    assert (loader.epoch, origin.epoch_at(110, 5)) == (5, 5)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            {"nois": 0.1},
            r"stages\.a\.data: must name data parameters out of noise, sequence_length, got 'nois'; did you",
        ),
        ({"noise": 1.0}, r"stages\.a\.data\.noise: must be at least 0 and below 1, got 1\.0$"),
        ({"noise": -0.1}, r"stages\.a\.data\.noise: must be at least 0 and below 1, got -0\.1$"),
        ({"sequence_length": 5}, r"stages\.a\.data\.sequence_length: must be a divisor of model\.context, 16, got 5$"),
        ({"sequence_length": 32}, r"sequence_length: must be a divisor of model\.context, 16, got 32$"),
        ({"sequence_length": 8.0}, r"sequence_length: must be a divisor of model\.context, 16, got 8\.0$"),
    ],
)
def test_data_parameters_that_the_task_does_not_have_are_refused(data, said):
    with pytest.raises(ValueError, match=rf"^curriculum\..*{said}"):
        check_data(Curriculum({"a": Stage(data=data)}), NAMES, partial(BatchForm.of, context=16))
