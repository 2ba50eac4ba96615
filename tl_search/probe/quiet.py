"""Silences libraries that print on every load and every pass, since a search has messages of its own to show."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Until the block ends, Lightning and transformers show errors only, and no progress bars."""
    from transformers.utils import logging as hugging

    with warnings.catch_warnings(), ExitStack() as undo:
        warnings.simplefilter("ignore")
        for name in ("lightning.pytorch", "lightning.fabric"):
            logger = logging.getLogger(name)
            undo.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.ERROR)
        undo.callback(hugging.set_verbosity, hugging.get_verbosity())
        hugging.set_verbosity_error()
        if hugging.is_progress_bar_enabled():
            undo.callback(hugging.enable_progress_bar)
        hugging.disable_progress_bar()
        yield
