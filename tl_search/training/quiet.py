"""Silences libraries whose messages, the same on every run, would hide those of the run itself."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

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

    loggers = [logging.getLogger(f"lightning.{name}") for name in ("pytorch", "fabric")]
    loggers.append(logging.getLogger("lightning.pytorch.utilities.rank_zero"))
    levels = [logger.level for logger in loggers]
    verbosity, bars = hugging.get_verbosity(), hugging.is_progress_bar_enabled()
    with warnings.catch_warnings():
        for message in _NOISE:
            warnings.filterwarnings("ignore", message)
        for module in ("lightning", "torch"):
            warnings.filterwarnings("ignore", module=rf"{module}\.")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            hugging.set_verbosity_error()
            hugging.disable_progress_bar()
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
            hugging.set_verbosity(verbosity)
            if bars:
                hugging.enable_progress_bar()
