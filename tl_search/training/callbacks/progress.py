"""Settings of the lines that tell how far a run is; plain lines, which suit a terminal and a log file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tl_search.errors.limits import MOST_SECONDS, between

if TYPE_CHECKING:
    from lightning.pytorch import Callback


@dataclass(frozen=True)
class Progress:
    """Prints a line with step, loss, perplexity, learning rate, speed and time left.

    Args:
        seconds: Between two lines.
    """

    seconds: float = 10.0

    DECIDES: ClassVar = {"free": "seconds"}

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"seconds: must be > 0, got {self.seconds}")
        between(0, MOST_SECONDS, seconds=self.seconds)

    def start(self) -> "Callback":
        from tl_search.training.callbacks.progress_lines import ProgressLines

        return ProgressLines(self.seconds)
