"""The name of an arm: the name of its revision, and its layer."""

from collections.abc import Sequence
from typing import NamedTuple


class ArmName(NamedTuple):
    """How a run's files and a report name an arm. It holds neither weights nor steps: the plane knows those."""

    revision: str
    layer: int

    def __str__(self) -> str:
        return f"{self.revision}/layer {self.layer}"

    @classmethod
    def read(cls, value: Sequence[object]) -> "ArmName":
        """From `["step1000", 5]`, as a run's files write it. Raises ValueError for anything else."""
        if not isinstance(value, list) or len(value) != 2 or not isinstance(value[1], int):
            raise ValueError(f'an arm must be ["revision", layer], got {value!r}')
        return cls(str(value[0]), value[1])
