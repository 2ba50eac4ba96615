"""The share of weights that do not move since numbers of 16 bits are too coarse for their updates."""

import pytest
import torch
from tiny_run import At, PowerCut, cut, plan

from tl_search.training.callbacks.unmoved import unmoved_share
from tl_search.training.fit import fit
from tl_search.training.optim import AdamW

SHARE = "train/unmoved_share"
NOTHING = 1e-45  # a learning rate below the least number above 0 in bfloat16, which even a weight of 0 feels not


def board(run, step=4):
    """What was measured last, by name: its step and value."""
    state = torch.load(run / "checkpoints" / f"step{step}" / "state.ckpt", weights_only=True)
    return state["callbacks"]["Measurements"]["latest"]


def train(folder, run="run", precision="bf16-true", lr=1e-3, warmup=2, **changes):
    trainer = {"max_steps": 4, "precision": precision}
    fit(plan(folder, trainer=trainer, optimizer=AdamW(lr=lr, warmup_steps=warmup), **changes), folder / run)
    return folder / run


def told(recwarn):
    return [str(warning.message) for warning in recwarn if "did not move" in str(warning.message)]


@pytest.mark.parametrize(("dtype", "share"), [(torch.bfloat16, 0.75), (torch.float32, 0.0)])
def test_only_weights_that_a_gradient_pulls_at_are_counted(dtype, share):
    weight = torch.nn.Parameter(torch.tensor([1.0, 1.0, -3.0, 0.0, 1.0], dtype=dtype))
    weight.grad = torch.tensor([1.0, -1.0, 1.0, 1.0, 0.0], dtype=dtype)
    before = [(weight, weight.detach().clone())]
    torch.optim.SGD([weight], lr=1e-3).step()  # 1 and 1.0078 are neighbours in bfloat16, and below 1 is 0.9961
    assert unmoved_share(before) == share


def test_when_no_weight_moves_the_share_is_1_and_one_warning_names_the_remedy(tmp_path, recwarn):
    run = train(tmp_path, lr=NOTHING)
    assert board(run)[SHARE] == [4, 1.0]
    (said,) = told(recwarn)
    assert said.startswith("at step 2, 100% of the weights with a gradient did not move")
    assert said.endswith("trainer.precision=bf16-mixed keeps the weights in 32 bits")


def test_a_sufficient_learning_rate_is_measured_and_not_warned_of(tmp_path, recwarn):
    step, share = board(train(tmp_path, lr=1e-2))[SHARE]
    assert step == 4
    assert 0 < share < 0.5
    assert not told(recwarn)


def test_small_updates_during_warm_up_are_no_reason_to_warn(tmp_path, recwarn):
    train(tmp_path, lr=NOTHING, warmup=4, eval_interval=2)
    assert [said.partition(",")[0] for said in told(recwarn)] == ["at step 4"]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_weights_of_32_bits_are_not_measured(tmp_path, recwarn, precision):
    assert SHARE not in board(train(tmp_path, precision=precision, lr=NOTHING))
    assert not told(recwarn)


def test_a_run_that_was_killed_measures_the_same(tmp_path):
    whole = train(tmp_path, "whole", save_interval=1)
    with pytest.raises(PowerCut):
        train(tmp_path, save_interval=1, callbacks={"cut": At(3, cut)})
    run = train(tmp_path, save_interval=1)
    assert board(whole)[SHARE] == board(run)[SHARE]
    assert board(whole, 3)[SHARE] == board(run, 3)[SHARE]
