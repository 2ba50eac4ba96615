"""Silences libraries that print on every load and every pass."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def errors_only(*loggers: str) -> Iterator[None]:
    """Until the block ends, transformers and these loggers show errors only; transformers draws no bars."""
    from transformers.utils import logging as hugging

    with ExitStack() as undo:
        for name in loggers:
            logger = logging.getLogger(name)
            undo.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.ERROR)
        undo.callback(hugging.set_verbosity, hugging.get_verbosity())
        hugging.set_verbosity_error()
        if hugging.is_progress_bar_enabled():
            undo.callback(hugging.enable_progress_bar)
        hugging.disable_progress_bar()
        yield
