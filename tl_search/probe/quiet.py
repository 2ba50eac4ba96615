"""Silences libraries that print on every load and every pass, since a search has messages of its own to show."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from tl_search.checkpoints.quiet import errors_only


@contextmanager
def quiet() -> Iterator[None]:
    """Until the block ends, Lightning and transformers show errors only, and no progress bars."""
    with warnings.catch_warnings(), errors_only("lightning.pytorch", "lightning.fabric"):
        warnings.simplefilter("ignore")
        yield
