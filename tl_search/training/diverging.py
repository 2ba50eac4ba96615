"""The message for a run that has diverged: when, on which text, and which checkpoint is still good."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.errors.kinds import DivergedError
from tl_search.runs.states import states_of

if TYPE_CHECKING:
    from lightning.pytorch import Trainer


def story(trainer: "Trainer", what: str, epoch: int, batch: int) -> str:
    """The message of the error that ends the run, in one line.

    Args:
        what: What was not finite, and at which step.
        epoch: Completed passes over the text before the batch.
        batch: Number of the batch in its epoch.
    """
    loader: Any = trainer.train_dataloader
    blocks = ", ".join(str(place) for place in loader.places(epoch, batch))
    with suppress(DivergedError):  # a model that waits to be written may hold weights that are not finite, too
        trainer.strategy.checkpoint_io.saves.drain()  # type: ignore[attr-defined]  # ours, which Lightning does not declare
    states = states_of(Path(trainer.default_root_dir))
    good = f"the last good checkpoint is {states[0][0]}" if states else "no checkpoint was written before"
    return (
        f"training diverged: {what} (epoch {epoch}, batch {batch}: blocks {blocks}); {good}; "
        "a lower learning rate or a longer warm-up helps most often"
    )
