"""Makes the parts of a run that are not ours once, for trial, before its text is read and anything is written."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.runs.accelerators import count_of
from tl_search.training.entries import CallbackEntry, TorchOptimizer, callback_of, loggers_of, optimizer_of
from tl_search.training.estimate import vocabulary
from tl_search.training.memory import check_memory
from tl_search.training.optim import Phase
from tl_search.training.trainer import make_trainer

if TYPE_CHECKING:
    from lightning.pytorch import Callback

    from tl_search.training.plan import TrainingPlan


def check_parts(plan: "TrainingPlan", folder: Path, reached: int) -> None:
    """Raises PartFailed or ValueError for what cannot be made, or does not fit together, on this machine.

    Args:
        plan: The training.
        folder: The run directory.
        reached: Completed steps of a run that goes on.
    """
    accelerator = plan.trainer.get("accelerator")
    if accelerator in ("gpu", "cuda", "mps"):
        try:
            count_of(accelerator)
        except ValueError as error:
            raise ValueError(f"trainer.{error}") from error
    check_memory(plan.model.parameters(vocabulary(plan.tokenizer) or 0))
    from lightning.pytorch import Callback
    from torch.nn import Linear

    callbacks = {
        name: callback_of(name, entry)
        for name, entry in plan.callbacks.items()
        if isinstance(entry, Mapping | Callback) and not isinstance(entry, CallbackEntry)
    }
    _check_states(callbacks)
    optimizer = optimizer_of(plan.optimizer)
    if isinstance(optimizer, TorchOptimizer):
        optimizer.build(Linear(1, 1), lambda step: Phase(0, 0, 1))
    loggers = loggers_of(plan.logger, folder, reached)
    make_trainer(plan.trainer, folder, 1, [*callbacks.values()], [*loggers.values()])


def _check_states(callbacks: "Mapping[str, Callback]") -> None:
    """Raises ValueError for two callbacks that would keep what they remember under one key of a training state."""
    from lightning.pytorch.utilities.model_helpers import is_overridden

    owners: dict[str, str] = {}
    for name, callback in callbacks.items():
        if not is_overridden("state_dict", instance=callback):
            continue
        other = owners.setdefault(callback.state_key, name)
        if other != name:
            raise ValueError(
                f"callbacks.{name}: must differ from callbacks.{other} in what it is made of, since a training state "
                f"keeps what both remember under one key, {callback.state_key}"
            )
