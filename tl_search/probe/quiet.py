"""Libraries that talk on every load and every pass would bury what a search has to say."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Lightning and transformers say errors only, and draw no progress bars, until the block ends."""
    from transformers.utils import logging as hugging

    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    verbosity, bars = hugging.get_verbosity(), hugging.is_progress_bar_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
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
