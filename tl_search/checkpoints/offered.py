"""What is known of a model's revisions before any of them is looked at: from the registry, or from a local source."""

from dataclasses import dataclass

from tl_search.checkpoints import registry
from tl_search.checkpoints.family import Family, Sizes
from tl_search.checkpoints.source import CheckpointSource, LocalCheckpoints
from tl_search.checkpoints.spelling import spelled
from tl_search.plane.revision import Revision
from tl_search.plane.sampling import Sampling
from tl_search.runs.digests import weight_files

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
        known = f"no family of the registry has this model ({', '.join(registry.names())}){registry.near(repository)}"
        return Offer(repository, (), certain=False, notes=(known,))
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
    known = {revision.name for revision in offer.revisions}
    listed = spelled(sampling, offer.family, offer.name, known)
    return tuple(listed.pick(offer.revisions)) if offer.revisions else ()
