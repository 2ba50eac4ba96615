"""Reads a column of a data set at once where mteb goes through it value by value.

A data set gives a column as an object that reads its file for each value that is asked for. mteb asks in loops, for
every experiment of every cell: 27,000 labels took ten times longer to read than all else that a classifier does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def columns_read_at_once() -> Iterator[None]:
    """Within the block, a column is read when its second value is asked for, or all are, and is held in memory."""
    from datasets.arrow_dataset import Column

    part, each = Column.__getitem__, Column.__iter__

    def values(column: Any) -> Any:
        if "_tl_values" not in vars(column):
            column._tl_values = part(column, slice(None))
        return column._tl_values

    def item(column: Any, key: Any) -> Any:
        if not hasattr(key, "__index__"):
            return part(column, key)
        if "_tl_asked" not in vars(column):  # `table["label"][7]` makes a column for one value
            column._tl_asked = True
            return part(column, key)
        return values(column)[key]

    Column.__getitem__, Column.__iter__ = item, lambda column: iter(values(column))
    try:
        yield
    finally:
        Column.__getitem__, Column.__iter__ = part, each
