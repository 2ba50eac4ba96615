"""Where curves go."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger


@dataclass(frozen=True)
class TensorBoard:
    """Event files for TensorBoard.

    Args:
        folder: Below the run directory.
    """

    folder: str = "tensorboard"

    def __post_init__(self) -> None:
        if not self.folder or Path(self.folder).is_absolute() or ".." in Path(self.folder).parts:
            raise ValueError(f"folder: must be a folder below the run, got {self.folder!r}")

    def start(self, run: Path, step: int) -> "Logger":
        """A logger for a run that goes on after `step`, or begins at -1; what was logged beyond it is hidden."""
        from lightning.pytorch.loggers import TensorBoardLogger

        _wait_for_another_second(run / self.folder)
        return TensorBoardLogger(save_dir=run / self.folder, name="", version="", purge_step=step + 1)


def _wait_for_another_second(folder: Path) -> None:
    """Files are read in the order of their names, which hold the second of their beginning and then anything."""
    seconds = [file.name.split(".")[3] for file in folder.glob("events.out.tfevents.*")]
    newest = max((int(second) for second in seconds if second.isdigit()), default=0)
    left = newest + 1 - time.time()
    if 0 < left <= 1:  # a clock that was set back is not waited for
        time.sleep(left)


@dataclass(frozen=True)
class WeightsAndBiases:
    """Curves for Weights & Biases, one of its runs per run directory; it goes on when the run does.

    Args:
        project: Under which the run is listed.
        entity: User or team; None is the login's own.
        offline: Written below the run only, to be sent later with `wandb sync`.
    """

    project: str = "tl-search"
    entity: str | None = None
    offline: bool = False

    def start(self, run: Path, step: int) -> "Logger":
        """Raises ValueError where the package is missing, or a login."""
        from importlib.util import find_spec

        if find_spec("wandb") is None:
            raise ValueError("logger.wandb: needs a package that is missing; pip install 'tl-search[wandb]'")
        if not self.offline and os.environ.get("WANDB_MODE", "online") == "online":
            import wandb

            if not wandb.login(prompt=False, verify=False):
                raise ValueError(
                    "logger.wandb: needs `wandb login` or WANDB_API_KEY; logger.wandb.offline=true needs none"
                )
        from lightning.pytorch.loggers import WandbLogger

        return WandbLogger(
            name=run.name,
            id=run.name,  # the name ends in the digest of what the run is
            save_dir=run,
            project=self.project,
            entity=self.entity,
            offline=self.offline,
            resume="allow",
        )
