"""Where curves go."""

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
        """A logger for a run that begins, or goes on, after `step`; what was logged beyond it is hidden."""
        from lightning.pytorch.loggers import TensorBoardLogger

        purge = step + 1 if step else None
        return TensorBoardLogger(save_dir=run / self.folder, name="", version="", purge_step=purge)
