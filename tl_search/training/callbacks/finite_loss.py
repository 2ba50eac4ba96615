"""Settings of the check that a run has not diverged."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tl_search.errors.limits import between

if TYPE_CHECKING:
    from lightning.pytorch import Callback


@dataclass(frozen=True)
class FiniteLoss:
    """Ends a run when the loss of several batches in a row is not finite.

    Args:
        patience: The run ends after so many such batches in a row, >= 1.
    """

    patience: int = 3

    DECIDES: ClassVar = {"files": "patience"}

    def __post_init__(self) -> None:
        between(1, 10**9, patience=self.patience)

    def start(self) -> "Callback":
        from tl_search.training.callbacks.finite_loss_watch import FiniteLossWatch

        return FiniteLossWatch(self.patience)
