"""Where an arm lies on the plane, as the files of a run write it."""

from collections.abc import Sequence
from typing import NamedTuple


class Place(NamedTuple):
    """An arm by its two coordinates: all that a report needs of it."""

    revision: str
    layer: int

    def __str__(self) -> str:
        return f"{self.revision}/layer {self.layer}"

    @classmethod
    def read(cls, value: Sequence[object]) -> "Place":
        """From `["step1000", 5]`. Raises ValueError for anything else."""
        if not isinstance(value, list) or len(value) != 2 or not isinstance(value[1], int):
            raise ValueError(f'an arm must be ["revision", layer], got {value!r}')
        return cls(str(value[0]), value[1])
