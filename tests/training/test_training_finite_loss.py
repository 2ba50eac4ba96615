"""When a run ends because its loss is not finite: after so many in a row, and not of single ones."""

import math

import pytest
from lightning.pytorch import Callback
from tiny_run import plan

from tl_search.errors.kinds import DivergedError
from tl_search.runs.record import Diverged
from tl_search.runs.state import DIVERGED, DONE, state_of
from tl_search.training.branch import Branch, DataOrder
from tl_search.training.callbacks.finite_loss import FiniteLoss
from tl_search.training.fit import fit

NAN = math.nan


class Losses(Callback):
    """Has those who come after it see other losses than those that were trained on."""

    def __init__(self, losses):
        self.losses = iter(losses)

    def on_train_batch_end(self, trainer, module, outputs, *_):
        outputs["loss"] = outputs["loss"].new_tensor(next(self.losses))


def watched(folder, losses, patience):
    callbacks = {"losses": Losses(losses), "finite": FiniteLoss(patience)}
    return plan(folder, callbacks=callbacks, trainer={"max_steps": len(losses)}, eval_interval=100)


@pytest.mark.parametrize(
    ("losses", "patience"),
    [([NAN, NAN, 1.0, NAN, math.inf, 2.0], 3), ([NAN] * 3, 4), ([1.0, NAN], 2)],
    ids=str,
)
def test_a_finite_loss_begins_the_count_anew(tmp_path, losses, patience):
    fit(watched(tmp_path, losses, patience), tmp_path / "run")
    assert (tmp_path / "run" / "DONE.json").exists()


@pytest.mark.parametrize(
    ("losses", "patience", "said"),
    [
        ([NAN, 1.0, NAN, -math.inf, NAN, 1.0], 3, "not finite 3 batches in a row, at step 5 "),
        ([1.0, NAN, 1.0], 1, "not finite, at step 2 "),
    ],
    ids=str,
)
def test_patience_ends_with_so_many_in_a_row(tmp_path, losses, patience, said):
    with pytest.raises(DivergedError, match=f"^training diverged: the loss was {said}"):
        fit(watched(tmp_path, losses, patience), tmp_path / "run")


def test_a_branch_that_reads_the_text_anew_names_its_own_step_and_batch(tmp_path):
    # the parent ends in the middle of its second epoch of 6 steps, and the branch begins an epoch there
    fit(plan(tmp_path, trainer={"max_steps": 8}, eval_interval=100), tmp_path / "parent")
    wild = plan(
        tmp_path,
        branch_from=f"{tmp_path / 'parent'}@step8",
        branch=Branch(data=DataOrder.restart),
        callbacks={"losses": Losses([1.0, NAN]), "finite": FiniteLoss(1)},
        eval_interval=100,
    )
    with pytest.raises(DivergedError, match=r"at step 10 \(epoch 2, batch 1: blocks "):
        fit(wild, tmp_path / "run")


def test_a_run_says_that_it_has_diverged_until_it_goes_on(tmp_path):
    run = tmp_path / "run"
    with pytest.raises(DivergedError) as told:
        fit(watched(tmp_path, [1.0, NAN, 1.0], 1), run)
    assert (state_of(run), Diverged.read(run)) == (DIVERGED, Diverged(2, str(told.value)))
    fit(watched(tmp_path, [1.0, 1.0, 1.0], 1), run)
    assert (state_of(run), Diverged.read(run)) == (DONE, None)
