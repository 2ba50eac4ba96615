"""What is known of a model's revisions before any of them is looked at: from the registry, or from a local source."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tl_search.checkpoints import registry
from tl_search.checkpoints.family import Family, Sizes
from tl_search.checkpoints.source import CheckpointSource, LocalCheckpoints
from tl_search.errors.nearest import suggest
from tl_search.plane.revision import Revision, step_of
from tl_search.plane.sampling import Listed, Sampling
from tl_search.runs.digests import weight_files

log = logging.getLogger(__name__)

HALF = 2  # bytes of a parameter in the files that most families publish


@dataclass(frozen=True)
class Offer:
    """The revisions of one model.

    Args:
        model: Its name; with the organisation if it is on the Hub.
        revisions: In training order, those on one time axis; their steps are counted from the beginning of training.
        sizes: None if not known.
        family: None of a model that no family of the registry has.
        certain: Whether these revisions are known to exist.
        notes: What else to tell.
    """

    model: str
    revisions: tuple[Revision, ...]
    sizes: Sizes | None = None
    family: Family | None = None
    certain: bool = True
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Without the organisation."""
        return self.model.rpartition("/")[2]


def from_registry(repository: str) -> Offer:
    """What the registry knows of a model on the Hub; without revisions if no family there lists them."""
    family, (_, _, model) = registry.family_of(repository), repository.rpartition("/")
    if family is None:
        known = ", ".join(registry.names())
        return Offer(repository, (), certain=False, notes=(f"no family of the registry has this model ({known})",))
    listed = [known for known in family.known(model) if not known.parallel]
    revisions = tuple(Revision(known.name, known.position, known.place.tokens) for known in listed)
    unsure = ("the registry is not certain of these names and steps; available=true asks the Hub",)
    notes = (*told(family, model), *(() if family.certain else unsure))
    return Offer(repository, revisions, family.models.get(model), family, family.certain, notes)


def told(family: Family, model: str) -> tuple[str, ...]:
    """What there is to know of a model's checkpoints, as a family's entry says it."""
    notes = [gap for pattern, gaps in family.gaps.items() if registry.matches(pattern, model) for gap in gaps]
    last = next((step for pattern, step in family.main.items() if registry.matches(pattern, model)), None)
    same = next((known.name for known in family.known(model) if known.position == last), "main")
    if same != "main":
        notes.insert(0, f"main is {same}")
    if not family.certain:
        notes.append("the registry is not certain of these names and steps; available=true asks the Hub")
    return tuple(notes)


def from_source(source: CheckpointSource) -> Offer:
    """What a source says of its model: all that a search would see.

    Raises:
        ValueError: it has no revisions.
    """
    revisions, shape, size = source.revisions(), source.shape(), 0
    if isinstance(source, LocalCheckpoints):
        folder = source.folder(revisions[-1].name)
        names = weight_files(path.name for path in folder.iterdir())
        size = sum((folder / name).stat().st_size for name in names)
    return Offer(source.model, revisions, Sizes(shape.n_layers, shape.width, shape.parameters, size))


def picked(offer: Offer, sampling: Sampling) -> tuple[Revision, ...]:
    """The revisions that a sampling picks; () if none are known. Raises ValueError for a name that nothing can have."""
    return tuple(resolved(sampling, offer).pick(offer.revisions)) if offer.revisions else ()


def resolved(sampling: Sampling, offer: Offer) -> Sampling:
    """A list of revisions in the spelling of the model's family; a warning tells of every other one.

    Raises:
        ValueError: the family names no checkpoint so.
    """
    if not isinstance(sampling, Listed) or offer.family is None:
        return sampling
    return replace(sampling, revisions=tuple(_own(entry, offer.family, offer) for entry in sampling.revisions))


def _own(entry: str | int, family: Family, offer: Offer) -> str | int:
    if isinstance(entry, int) or entry == "main":
        return entry
    meant = entry if family.place(entry, offer.name) else family.meant(entry, offer.name)
    if meant is None:
        near = suggest(entry, _examples(family, offer))
        raise ValueError(f"revisions: {entry!r} is no name of a checkpoint of {family.title}{near}")
    if meant != entry:
        log.warning("%s: read as %s, which is how %s writes it", entry, meant, family.title)
    position = family.position(meant, offer.name)
    if position is None:
        raise ValueError(f"revisions: {entry} is of a run beside the others, so it has no place on their time axis")
    return meant if step_of(meant) == position or meant in {known.name for known in offer.revisions} else position


def _examples(family: Family, offer: Offer) -> Sequence[str]:
    known = [revision.name for revision in offer.revisions]
    return known or [naming.template for naming in family.names]
