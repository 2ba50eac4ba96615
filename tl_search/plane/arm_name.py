"""The name of an arm: the name of its revision, its layer, and its readout."""

import re
import reprlib
from collections.abc import Sequence
from typing import NamedTuple

from tl_search.plane.readout import RAW
from tl_search.store.keys import check_name

_LAYERS = 1 << 20  # far more than any model has


class ArmName(NamedTuple):
    """How a run's files and a report name an arm. It holds neither weights nor steps: the plane knows those."""

    revision: str
    layer: int
    readout: str = RAW.name

    def __str__(self) -> str:
        return f"{self.revision}/layer {self.layer}" + f"/{self.readout}" * (not self.is_raw)

    @property
    def is_raw(self) -> bool:
        """Whether its vectors are the layer's own."""
        return self.readout == RAW.name

    @property
    def as_raw(self) -> "ArmName":
        """The same layer without a readout."""
        return self._replace(readout=RAW.name)

    def plain(self) -> list[str | int]:
        """What `read` takes: `["step1000", 5]`, and the readout behind it unless it is raw."""
        return [self.revision, self.layer, *[self.readout] * (not self.is_raw)]

    @classmethod
    def read(cls, value: Sequence[object]) -> "ArmName":
        """From `["step1000", 5]` or `["step1000", 5, "whitened"]`, as a run's files write it.

        Raises:
            ValueError: it is neither.
        """
        sized = isinstance(value, list) and len(value) in (2, 3)
        if not sized or type(value[1]) is not int or not 0 <= value[1] < _LAYERS:
            raise ValueError(f'an arm must be ["revision", layer] or with a readout, got {reprlib.repr(value)}')
        readout = check_name(value[2], "readout") if len(value) == 3 else RAW.name
        return cls(check_name(value[0], "revision", folders=True), value[1], readout)

    @classmethod
    def parse(cls, text: str) -> "ArmName":
        """From what a person types: `step1000:5`, `step1000:5:whitened`, or as it is printed, `step1000/layer 5`.

        Raises:
            ValueError: it is none of these.
        """
        found = re.fullmatch(r"(.+)[:/](?:layer )?(\d{1,6})(?:[:/]([a-z][a-z0-9_-]*))?", text)
        if not found:
            raise ValueError(f"must be a revision and a layer, like step1000:5, got {text!r}")
        return cls(check_name(found[1], "revision", folders=True), int(found[2]), found[3] or RAW.name)
