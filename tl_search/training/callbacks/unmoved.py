"""The share of weights that an optimizer step leaves as they are, since their number format is too coarse for it."""

import warnings
from collections.abc import Set
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn import Parameter

from tl_search.training.callbacks.measurements import Measurements

_MANY = 0.5  # the share that is worth a warning


class UnmovedWeights(Callback):
    """Publishes `train/unmoved_share`, from 0 to 1, at given steps of a training whose weights have 16 bits.

    A weight in bfloat16 has 8 significant bits. An update below half a unit in its last place is rounded away, so the
    weight stays where it is however often that happens (Zamirai et al., 2021, "Revisiting BFloat16 Training",
    arXiv:2010.06192). The share is measured in the one optimizer step that leads to a given step: of the weights with
    a gradient other than 0 in it, how many have the same bits after it as before. So it is a function of that step
    alone, the same whether the run was stopped before or not, and nothing is kept between two measurements: the step
    takes a copy of the weights, 2 bytes each, on their device. Weights of 32 bits are neither copied nor measured.

    One warning in a process says that the share is large, once the learning rate has warmed up: before, small updates
    are what is asked for.

    Args:
        due: Steps that are measured; step 0 has no update.
        settled: The first step at which a large share is worth a warning.
    """

    def __init__(self, due: Set[int], settled: int) -> None:
        self.due, self.settled, self.warned = due, settled, False
        self.before: list[tuple[Parameter, Tensor]] = []

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        if trainer.global_step + 1 in self.due:
            self.before = [
                (weight, weight.detach().clone())
                for weight in pl_module.parameters()
                if weight.requires_grad and weight.dtype.itemsize == 2
            ]

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if not self.before:
            return
        share, self.before = unmoved_share(self.before), []
        share, step = trainer.strategy.broadcast(share), trainer.global_step
        Measurements.of(trainer).publish(trainer, {"train/unmoved_share": share})
        if share >= _MANY and step >= self.settled and not self.warned and trainer.is_global_zero:
            self.warned = True
            warnings.warn(
                f"at step {step}, {share:.0%} of the weights with a gradient did not move: their updates are too small "
                "for numbers of 16 bits; trainer.precision=bf16-mixed keeps the weights in 32 bits",
                stacklevel=1,
            )


def unmoved_share(before: list[tuple[Parameter, Tensor]]) -> float:
    """The share of weights that equal their earlier values, of those whose gradient is not 0; NaN where there are none.

    Args:
        before: Parameters after an optimizer step, their gradients still there, each with its values before the step.
    """
    asked = [(weight, old, weight.grad != 0) for weight, old in before if weight.grad is not None]
    if not asked:
        return float("nan")
    counts = [torch.stack([pulled.sum(), (pulled & (weight == old)).sum()]) for weight, old, pulled in asked]
    with_gradient, unmoved = torch.stack(counts).sum(0).tolist()  # read once: it makes the host wait for the device
    return unmoved / with_gradient if with_gradient else float("nan")
