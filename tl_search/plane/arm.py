"""The arms of a search and the plane that they lie on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tl_search.errors.limits import at_least
from tl_search.plane.arm_name import ArmName
from tl_search.plane.extraction import Extraction
from tl_search.plane.revision import Revision
from tl_search.store.keys import digest


@dataclass(frozen=True)
class Arm:
    """One candidate embedding model: a layer of a revision under an extraction.

    Args:
        model: Whose revision it is.
        layer: Index into the hidden states: 0 = token embeddings, l = after block l.
    """

    model: str
    revision: Revision
    layer: int
    extraction: Extraction

    def identity(self) -> dict[str, Any]:
        """Everything that changes the arm's vectors, and nothing else: names and steps do not."""
        return {
            "weights": self.revision.weights,
            "tokenizer": self.revision.tokenizer,
            "layer": self.layer,
            "extraction": self.extraction.identity(),
        }

    @property
    def key(self) -> str:
        """Equal for two arms exactly when their vectors are the same by construction."""
        return digest(self.identity())

    @property
    def name(self) -> ArmName:
        """How files and reports name it."""
        return ArmName(self.revision.name, self.layer)

    @property
    def label(self) -> str:
        """For people: `step1000/layer 5`."""
        return str(self.name)


@dataclass(frozen=True)
class Plane:
    """All arms: revisions in training order × layers 0..n_layers.

    Args:
        revisions: By rising step, no two alike.
        n_layers: Number of blocks L; layers are 0..L, so a column has L+1 arms.
    """

    model: str
    revisions: tuple[Revision, ...]
    n_layers: int
    extraction: Extraction

    def __post_init__(self) -> None:
        steps = [revision.step for revision in self.revisions]
        if not steps:
            raise ValueError("revisions: the plane needs at least one")
        if steps != sorted(set(steps)):
            raise ValueError(f"revisions: must be by rising step, got steps {steps}")
        at_least(1, n_layers=self.n_layers)

    @property
    def layers(self) -> range:
        return range(self.n_layers + 1)

    def arm(self, revision: Revision, layer: int) -> Arm:
        if layer not in self.layers:
            raise ValueError(f"layer: must be 0..{self.n_layers}, got {layer}")
        return Arm(self.model, revision, layer, self.extraction)

    def column(self, revision: Revision) -> tuple[Arm, ...]:
        """All layers of one revision: what one load and one forward pass pay for."""
        return tuple(self.arm(revision, layer) for layer in self.layers)

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
        return self._columns[arm.revision.name] * (self.n_layers + 1) + arm.layer
