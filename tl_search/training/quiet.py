"""Silences messages of libraries that are the same in every run and would hide the messages of the run itself."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_NOISE = (
    ".*does not have many workers.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*weights_only.*",
    ".*LeafSpec.*",
    ".*lr_scheduler.step.*",
    ".*The number of training batches.*smaller than the logging interval.*",
)


def one_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning in one line, without the place in the code that it comes from."""
    return f"warning: {message}\n"


@contextmanager
def quiet() -> Iterator[None]:
    """Within the block Lightning and transformers report errors only and draw no bars; our own warnings are shown."""
    from transformers.utils import logging as hugging

    with warnings.catch_warnings(), ExitStack() as undo:
        for message in _NOISE:
            warnings.filterwarnings("ignore", message)
        for module in ("lightning", "torch"):
            warnings.filterwarnings("ignore", module=rf"{module}\.")
        for name in ("pytorch", "fabric", "pytorch.utilities.rank_zero"):
            logger = logging.getLogger(f"lightning.{name}")
            undo.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.ERROR)
        undo.callback(hugging.set_verbosity, hugging.get_verbosity())
        hugging.set_verbosity_error()
        if hugging.is_progress_bar_enabled():
            undo.callback(hugging.enable_progress_bar)
        hugging.disable_progress_bar()
        yield
