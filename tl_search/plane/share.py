"""The share of a task's items that it is scored on, as a text that people type and files hold: `1`, `1/3`, `1/10`."""

import re
from fractions import Fraction
from math import ceil

ALL = "1"

# Four digits are enough for any share that is of use, and keep a typed exponent from filling the memory.
_FORM = re.compile(r"\d{1,4}(/\d{1,4}|\.\d{1,4})?|\.\d{1,4}")


def share_of(items: object) -> Fraction:
    """The share that a text or a number means.

    Raises:
        ValueError: it is no share in (0, 1].
    """
    text = str(items).strip()
    try:
        found = Fraction(text) if _FORM.fullmatch(text) and not isinstance(items, bool) else None
    except ZeroDivisionError:
        found = None
    if found is None or not 0 < found <= 1:
        raise ValueError(f"items: must be 1, or a share of it such as 1/3 or 1/10, got {items!r}")
    return found


def share_text(items: object) -> str:
    """The one way in which a share is written: `0.1` is `1/10`. Raises ValueError as `share_of`."""
    return str(share_of(items))


def number_of(items: str, count: int) -> int:
    """How many of `count` things the share is, at least one of them; a larger share is never fewer."""
    return ceil(share_of(items) * count)


def split_name(split: str, items: str) -> str:
    """What data and records call a share of a split, so that nobody takes its score for the split's."""
    return split if items == ALL else f"{split}-items-{items.replace('/', '-of-')}"
