"""Silences messages of libraries that are the same in every run and would hide the messages of the run itself."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from tl_search.checkpoints.quiet import errors_only
from tl_search.errors.printable import printable

_NOISE = (
    ".*does not have many workers.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*weights_only.*",
    ".*LeafSpec.*",
    ".*lr_scheduler.step.*",
    ".*The number of training batches.*smaller than the logging interval.*",
)


def warning_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning in one line, without the place in the code that it comes from."""
    return f"warning: {printable(message)}\n"


@contextmanager
def quiet() -> Iterator[None]:
    """Within the block Lightning and transformers report errors only and draw no bars; our own warnings are shown."""
    loggers = (f"lightning.{name}" for name in ("pytorch", "fabric", "pytorch.utilities.rank_zero"))
    with warnings.catch_warnings(), errors_only(*loggers):
        for message in _NOISE:
            warnings.filterwarnings("ignore", message)
        for module in ("lightning", "torch"):
            warnings.filterwarnings("ignore", module=rf"{module}\.")
        yield
