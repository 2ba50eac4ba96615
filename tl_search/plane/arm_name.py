"""The name of an arm: the name of its revision, and its layer."""

import re
import reprlib
from collections.abc import Sequence
from typing import NamedTuple

from tl_search.store.keys import check_name

_LAYERS = 1 << 20  # far more than any model has


class ArmName(NamedTuple):
    """How a run's files and a report name an arm. It holds neither weights nor steps: the plane knows those."""

    revision: str
    layer: int

    def __str__(self) -> str:
        return f"{self.revision}/layer {self.layer}"

    @classmethod
    def read(cls, value: Sequence[object]) -> "ArmName":
        """From `["step1000", 5]`, as a run's files write it. Raises ValueError for anything else."""
        if not isinstance(value, list) or len(value) != 2 or type(value[1]) is not int or not 0 <= value[1] < _LAYERS:
            raise ValueError(f'an arm must be ["revision", layer], got {reprlib.repr(value)}')
        return cls(check_name(value[0], "revision", folders=True), value[1])

    @classmethod
    def parse(cls, text: str) -> "ArmName":
        """From what a person types: `step1000:5`, `step1000/5`, or as it is printed, `step1000/layer 5`.

        Raises:
            ValueError: it is none of these.
        """
        found = re.fullmatch(r"(.+)[:/](?:layer )?(\d{1,6})", text)
        if not found:
            raise ValueError(f"must be a revision and a layer, like step1000:5, got {text!r}")
        return cls(check_name(found[1], "revision", folders=True), int(found[2]))
