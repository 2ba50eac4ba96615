"""The optimizer and its learning rate, which is a function of the step and of the run's history."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tl_search.errors.limits import LARGEST_RATE, MOST_STEPS, between, not_negative

if TYPE_CHECKING:
    from torch.nn import Module
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler


@dataclass(frozen=True)
class Phase:
    """A span of steps in which the learning rate follows one curve; a run that is never extended has one phase.

    Args:
        start: First step of the phase; it ends where the next one starts.
        offset: The step at which its curve begins; it is before `start` when the run changes over to a running curve.
        length: Steps of the curve; after them the rate keeps its last value.
    """

    start: int
    offset: int
    length: int


class LrPolicy(Enum):
    """What the learning rate does when a run becomes longer than it was planned.

    `keep`: it follows the planned curve and then stays at the curve's last value. `rescale`: from the change on, it
    follows the curve of a run that was planned with the new length. `restart`: from the change on, it warms up and
    decays once more, over the steps that are left.
    """

    keep = "keep"
    rescale = "rescale"
    restart = "restart"


def phases_of(history: Sequence[Mapping[str, Any]], total: int, inherited: Sequence[Phase] = ()) -> tuple[Phase, ...]:
    """The phases of the learning rate in a run of `total` steps: the planned curve, and one for each change of length.

    Args:
        history: Of `run.json`, one entry for each change: `step` from which on it holds, `total` (the last step before
            the change and after it) and `lr_policy`.
        total: The run's last step, which holds where nothing was changed.
        inherited: Of a branch: the phases with which it was made, in the place of the planned curve.

    Example:
        >>> phases_of([{"step": 10, "total": [10, 20], "lr_policy": "restart"}], 20)
        (Phase(start=0, offset=0, length=10), Phase(start=10, offset=10, length=10))
    """
    first = [*inherited] or [Phase(0, 0, history[0]["total"][0] if history else total)]
    found = first
    for entry in history:
        step, (before, now), policy = entry["step"], entry["total"], LrPolicy(entry["lr_policy"])
        # the run may have been set back to a step before earlier changes, which then no longer count
        found = [phase for phase in found if phase.start < step or phase in first]
        if before != now and policy is not LrPolicy.keep:
            offset = step if policy is LrPolicy.restart else 0
            earlier = [phase for phase in found if phase.start < step]  # none, where nothing was trained before
            found = [*earlier, Phase(step, offset, now - offset)]
    return tuple(found)


def branched_phases(parent: Sequence[Phase], step: int, total: int, policy: LrPolicy) -> tuple[Phase, ...]:
    """The phases of a branch: those of its parent up to the step of the branch, then what the policy says.

    Args:
        parent: The parent's phases.
        step: Completed steps of the parent when the branch begins.
        total: The branch's last step.
        policy: `keep` follows the parent's curve, whatever the branch's length; `rescale` changes over to the curve
            of a run of `total` steps; `restart` warms up and decays once more, over the steps that are left.
    """
    known = [phase for phase in parent if phase.start <= step]
    if policy is LrPolicy.keep:
        return tuple(known)
    offset = step if policy is LrPolicy.restart else 0
    return (*(phase for phase in known if phase.start < step), Phase(step, offset, total - offset))


def horizon_warning(step: int, before: int, now: int, policy: LrPolicy, setting: str = "lr_policy") -> str:
    """What a change of the run's last step, made at `step`, means for the learning rate."""
    done = {
        LrPolicy.keep: "it follows that plan and then keeps its last value",
        LrPolicy.rescale: f"from step {step} on it follows the curve of {now} steps, which may be a jump",
        LrPolicy.restart: f"from step {step} on it warms up and decays once more, over {now - step} steps",
    }[policy]
    others = "|".join(other.value for other in LrPolicy if other is not policy)
    return (
        f"the learning rate was planned for {before} steps, the run now has {now}: {done} "
        f"({setting}={policy.value}; others: {others})"
    )


class OptimizerConfig(Protocol):
    """An optimizer's settings."""

    def build(self, model: "Module", phase_at: Callable[[int], Phase]) -> "tuple[Optimizer, LRScheduler]":
        """The optimizer of a model's parameters, and the learning rate's schedule, stepped after each of its steps.

        Args:
            model: The model that is trained.
            phase_at: Completed steps → the learning rate's phase.
        """


@dataclass(frozen=True)
class AdamW:
    """AdamW (Loshchilov & Hutter, 2019, arXiv:1711.05101) with linear warm-up and cosine decay.

    Matrices decay; biases and norms do not.

    Args:
        lr: The highest learning rate, > 0.
        betas: Decay rates of the first and second moment of the gradient.
        eps: Added to the root of the second moment.
        weight_decay: Share of a weight that a step takes off, for a learning rate of 1.
        warmup_steps: Steps over which the learning rate rises to `lr`.
        final_share: Share of `lr` that is left at the last step.
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    weight_decay: float = 0.01
    warmup_steps: int = 20
    final_share: float = 0.1

    DECIDES: ClassVar = {"weights": "lr betas eps weight_decay warmup_steps final_share"}

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas: must be two numbers in [0, 1), got {list(self.betas)}")
        for name in ("lr", "eps"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}: must be a finite number > 0, got {getattr(self, name)}")
        not_negative(LARGEST_RATE, weight_decay=self.weight_decay)
        between(0, MOST_STEPS, warmup_steps=self.warmup_steps)
        between(0, LARGEST_RATE, lr=self.lr, eps=self.eps)
        if not 0 <= self.final_share <= 1:
            raise ValueError(f"final_share: must be from 0 to 1, got {self.final_share}")

    def share_at(self, step: int, total: int) -> float:
        """The share of `lr` at which the update after `step` completed steps of `total` is made.

        The warm-up may be longer than the run, which then never decays: so a short trial needs no new config.
        """
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        done = min(1.0, (step - self.warmup_steps) / max(1, total - 1 - self.warmup_steps))
        return self.final_share + (1 - self.final_share) * (1 + math.cos(math.pi * done)) / 2

    def rate_at(self, step: int, phase: Phase) -> float:
        """The share of `lr` after `step` completed steps of a run that may have been extended."""
        return self.share_at(step - phase.offset, phase.length)

    def build(self, model: "Module", phase_at: Callable[[int], Phase]) -> "tuple[Optimizer, LRScheduler]":
        import torch

        trained = [weight for weight in model.parameters() if weight.requires_grad]
        groups = [
            {"params": [weight for weight in trained if weight.dim() >= 2], "weight_decay": self.weight_decay},
            {"params": [weight for weight in trained if weight.dim() < 2], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.lr, betas=self.betas, eps=self.eps)
        return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.rate_at(step, phase_at(step)))
