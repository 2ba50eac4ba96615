"""The arms of a search and the plane that they lie on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from tl_search.errors.limits import at_least
from tl_search.plane.arm_name import ArmName
from tl_search.plane.extraction import Extraction
from tl_search.plane.readout import RAW, Readout
from tl_search.plane.revision import Revision
from tl_search.store.keys import digest


class Place(NamedTuple):
    """An arm within a column: its layer, and the name of its readout."""

    layer: int
    readout: str


@dataclass(frozen=True)
class Arm:
    """One candidate embedding model: a layer of a revision under an extraction, and what is done with its vectors.

    Args:
        model: Whose revision it is.
        layer: Index into the hidden states: 0 = token embeddings, l = after block l.
        fitted_on: Digest of the texts that the readout is fitted on; empty where it is raw.
    """

    model: str
    revision: Revision
    layer: int
    extraction: Extraction
    readout: Readout = RAW
    fitted_on: str = ""

    def identity(self) -> dict[str, Any]:
        """Everything that changes the arm's vectors, and nothing else: names and steps do not."""
        return {
            "weights": self.revision.weights,
            "tokenizer": self.revision.tokenizer,
            "layer": self.layer,
            "extraction": self.extraction.identity(),
            **({} if self.readout.is_raw else {"readout": {**self.readout.identity(), "texts": self.fitted_on}}),
        }

    @property
    def key(self) -> str:
        """Equal for two arms exactly when their vectors are the same by construction."""
        return digest(self.identity())

    @property
    def name(self) -> ArmName:
        """How files and reports name it."""
        return ArmName(self.revision.name, self.layer, self.readout.name)

    @property
    def place(self) -> Place:
        """Where in a column it is."""
        return Place(self.layer, self.readout.name)

    @property
    def label(self) -> str:
        """For people: `step1000/layer 5`."""
        return str(self.name)


@dataclass(frozen=True)
class Plane:
    """All arms: revisions in training order × readouts × layers 0..n_layers.

    Args:
        revisions: By rising step, no two alike.
        n_layers: Number of blocks L; layers are 0..L.
        readouts: Raw first; a column has all layers of one readout, then all of the next.
        fitted_on: Digest of the texts that readouts are fitted on.
    """

    model: str
    revisions: tuple[Revision, ...]
    n_layers: int
    extraction: Extraction
    readouts: tuple[Readout, ...] = (RAW,)
    fitted_on: str = ""

    def __post_init__(self) -> None:
        steps = [revision.step for revision in self.revisions]
        if not steps:
            raise ValueError("revisions: the plane needs at least one")
        if steps != sorted(set(steps)):
            raise ValueError(f"revisions: must be by rising step, got steps {steps}")
        at_least(1, n_layers=self.n_layers)
        if not self.readouts or not self.readouts[0].is_raw:
            raise ValueError("readouts: must begin with raw")

    @property
    def layers(self) -> range:
        return range(self.n_layers + 1)

    @property
    def width(self) -> int:
        """How many arms a column has."""
        return len(self.layers) * len(self.readouts)

    @property
    def final_last(self) -> Arm:
        """What people use without a search: the last layer of the final checkpoint, as it is."""
        return self.arm(self.revisions[-1], self.n_layers)

    def arm(self, revision: Revision, layer: int, readout: Readout = RAW) -> Arm:
        if layer not in self.layers:
            raise ValueError(f"layer: must be 0..{self.n_layers}, got {layer}")
        return Arm(self.model, revision, layer, self.extraction, readout, "" if readout.is_raw else self.fitted_on)

    def column(self, revision: Revision) -> tuple[Arm, ...]:
        """All arms of one revision: what one load and one forward pass pay for."""
        return tuple(self.arm(revision, layer, readout) for readout in self.readouts for layer in self.layers)

    def arms(self) -> tuple[Arm, ...]:
        """Column after column."""
        return self._arms

    @cached_property
    def _arms(self) -> tuple[Arm, ...]:
        return tuple(arm for revision in self.revisions for arm in self.column(revision))

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {revision.name: number for number, revision in enumerate(self.revisions)}

    def position(self, arm: Arm) -> int:
        """The arm's place in `arms()`."""
        within = self.readouts.index(arm.readout) * len(self.layers) + arm.layer
        return self._columns[arm.revision.name] * self.width + within
