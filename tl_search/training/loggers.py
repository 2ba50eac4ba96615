"""Settings of the loggers that training curves are written with."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger


@dataclass(frozen=True)
class TensorBoard:
    """Event files for TensorBoard.

    Args:
        folder: Relative to the run directory.
    """

    folder: str = "tensorboard"

    DECIDES: ClassVar = {"free": "folder"}

    def __post_init__(self) -> None:
        if not self.folder or Path(self.folder).is_absolute() or ".." in Path(self.folder).parts:
            raise ValueError(f"folder: must be a folder in the run directory, got {self.folder!r}")

    def start(self, run: Path, step: int) -> "Logger":
        """Points beyond `step`, which a killed run may have logged, are hidden."""
        from tl_search.training.tensorboard import EventFiles

        _wait_for_another_second(run / self.folder)
        return EventFiles(save_dir=run / self.folder, name="", version="", purge_step=step + 1)


def _wait_for_another_second(folder: Path) -> None:
    """TensorBoard reads files by name, which begins with the second of their creation: two must not have the same."""
    seconds = [file.name.split(".")[3] for file in folder.glob("events.out.tfevents.*")]
    newest = max((int(second) for second in seconds if second.isdigit()), default=0)
    left = newest + 1 - time.time()
    if 0 < left <= 1:  # not when the clock was set back
        time.sleep(left)


@dataclass(frozen=True)
class WeightsAndBiases:
    """Curves for Weights & Biases: one W&B run for each run directory, which is continued when the run is resumed.

    Args:
        project: The W&B project.
        entity: User or team; None is the user who is logged in.
        offline: Whether data are only written to the run directory, to be uploaded later with `wandb sync`.
    """

    project: str = "tl-search"
    entity: str | None = None
    offline: bool = False

    DECIDES: ClassVar = {"free": "project entity offline"}

    def start(self, run: Path, step: int) -> "Logger":
        """The logger. Raises ValueError when the package or a login is missing."""
        from importlib.util import find_spec

        if find_spec("wandb") is None:
            raise ValueError("logger.wandb: needs the package wandb; install it with: pip install 'tl-search[wandb]'")
        if not self.offline and os.environ.get("WANDB_MODE", "online") == "online":
            import wandb

            if not wandb.login(prompt=False, verify=False):
                raise ValueError(
                    "logger.wandb: needs a login (`wandb login` or WANDB_API_KEY); logger.wandb.offline=true needs none"
                )
        from lightning.pytorch.loggers import WandbLogger

        return WandbLogger(
            name=run.name,
            id=run.name,  # unique, since it ends with the digest of the run's settings
            save_dir=run,
            project=self.project,
            entity=self.entity,
            offline=self.offline,
            resume="allow",
        )
