"""Silences libraries that print on every load and every pass, since a search has messages of its own to show."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Until the block ends, Lightning and transformers show errors only, and no progress bars."""
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
