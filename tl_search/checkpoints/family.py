"""What a family of published models is: how it publishes checkpoints, what they are called, and known gaps."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from tl_search.checkpoints.naming import Naming, Place, of_model


class Published(Enum):
    """What a checkpoint is on the Hub."""

    branches = "branches"
    tags = "tags"
    commits = "commits"
    repositories = "repositories"
    local = "local"


@dataclass(frozen=True)
class Sizes:
    """The sizes of a model.

    Args:
        blocks: The number of blocks L; the layers are 0 to L.
        width: The number of dimensions of a hidden state.
        parameters: The number of parameters, without the language-model head.
        bytes: Size of the weight files of one revision; 0 if not known.
    """

    blocks: int
    width: int
    parameters: int
    bytes: int = 0


@dataclass(frozen=True)
class Known:
    """A checkpoint of which the registry knows.

    Args:
        position: Steps from the beginning of the whole training, in the family's unit.
        parallel: Whether it is of a second run beside the others.
    """

    name: str
    place: Place
    position: int
    parallel: bool = False


@dataclass(frozen=True)
class Family:
    """A family of models that publish the checkpoints of their training.

    Args:
        name: The name of its file.
        title: For people.
        source: Where the pattern of its names is described.
        organisation: On the Hub.
        repositories: A regular expression for the names of its models, without the organisation. Where checkpoints are
            sibling repositories, the name of one is that of its model, a dash, and the checkpoint's name.
        published: As what.
        names: Patterns of names; of several that fit, the first counts.
        certain: Whether names and steps are known for certain; if not, only the Hub's list says what exists.
        unit: What a step is: `optimizer step`, or what else the names count.
        main: Model (a regular expression) → the step that the branch `main` holds. Not listed: it is no step.
        gaps: Model (a regular expression) → what is known to be missing or wrong there.
        models: Name → sizes, for those whose sizes are known.
    """

    name: str
    title: str
    source: str
    organisation: str
    repositories: str
    published: Published
    names: tuple[Naming, ...]
    certain: bool
    unit: str = "optimizer step"
    main: Mapping[str, int] = field(default_factory=dict)
    gaps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    models: Mapping[str, Sizes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError("names: must be at least one pattern, got none")
        strangers = [model for model in self.models if not re.fullmatch(self.repositories, model)]
        if strangers:
            raise ValueError(f"models: must match repositories, {self.repositories}, got {', '.join(strangers)}")
        untitled = [naming.template for naming in self.names if naming.title is None]
        if self.published is Published.commits and untitled:
            raise ValueError(f"names: must have a title where commits are published, got none for {untitled[0]}")

    def has(self, repository: str) -> bool:
        """Whether `ORGANISATION/MODEL` is one of its models."""
        organisation, _, model = repository.rpartition("/")
        return organisation == self.organisation and re.fullmatch(self.repositories, model) is not None

    def place(self, name: str, model: str = "") -> Place | None:
        """The place in training of a checkpoint with this name; None if the family has no such names.

        `main` is the last step, if the family says which one that is.
        """
        if name == "main":
            last = of_model(self.main, model)
            return next((known.place for known in self.known(model) if known.position == last), None)
        return next((place for _, place in self._read(name, model)), None)

    def position(self, name: str, model: str = "") -> int | None:
        """Steps from the beginning of the whole training; None of a name without a place on one time axis."""
        if name == "main":
            step: int | None = of_model(self.main, model)
            return step
        found = next(self._read(name, model), None)
        return None if found is None or found[0].parallel else found[0].position(found[1], model)

    def name_of(self, place: Place, model: str = "") -> str | None:
        """The name of the checkpoint at a place; None if the family writes none there."""
        return next((name for naming in self.names if (name := naming.name(place, model)) is not None), None)

    def meant(self, name: str, model: str = "") -> str | None:
        """The family's own spelling of a name with other dashes or capitals; None if it is no such name."""
        return next((meant for naming in self.names if (meant := naming.meant(name, model)) is not None), None)

    def known(self, model: str) -> tuple[Known, ...]:
        """The checkpoints that the registry lists for a model, in training order; () if it lists none.

        The branch `main` is among them only where it holds a step that no other name has.
        """
        found = {}
        for naming in self.names:
            for step in naming.published(model):
                place = naming.at(step, model)
                name = self.name_of(place, model)
                if name is not None:  # a stage that is a regular expression has no names of its own
                    found[name] = Known(name, place, naming.position(place, model), naming.parallel)
        last = of_model(self.main, model)
        if found and last is not None and last not in {known.position for known in found.values()}:
            found["main"] = Known("main", self.names[-1].at(last, model), last)
        return tuple(sorted(found.values(), key=lambda known: (known.position, known.name)))

    def _read(self, name: str, model: str) -> Iterator[tuple[Naming, Place]]:
        for naming in self.names:
            place = naming.place(name, model)
            if place is not None:
                yield naming, place
