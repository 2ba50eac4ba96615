"""What a branch takes over from its parent, as settings: a run that begins with the state of another run."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from tl_search.training.optim import LrPolicy


class OnRestore(Enum):
    """Which stage a branch begins in.

    `level`: the stage of the new curriculum into which the step of the branch falls. `skip_passed`: stages of the new
    curriculum that start at or before the step of the branch count as passed and are not applied; what held in the
    parent at this step holds until the first stage that starts after it.
    """

    level = "level"
    skip_passed = "skip_passed"


class OptimizerState(Enum):
    """`keep`: the optimizer goes on with the parent's moments. `reset`: it begins without any."""

    keep = "keep"
    reset = "reset"


class DataOrder(Enum):
    """`keep`: the branch reads what the parent would have read next, in the parent's order. `restart`: it begins a new
    pass over the text, in the order of its own seed.
    """

    keep = "keep"
    restart = "restart"


@dataclass(frozen=True)
class Branch:
    """The policies of a branch.

    Args:
        on_restore: Which stage it begins in.
        lr: The learning rate: `keep` follows the parent's curve and then stays at its last value, `rescale` changes
            over to the curve of a run that was planned with the branch's length, `restart` warms up and decays once
            more, over the steps that are left.
        optimizer: The state of the optimizer.
        data: The order of the text.
    """

    on_restore: OnRestore = OnRestore.level
    lr: LrPolicy = LrPolicy.keep
    optimizer: OptimizerState = OptimizerState.keep
    data: DataOrder = DataOrder.keep

    DECIDES: ClassVar = {"weights": "on_restore lr optimizer data"}
