"""What the Hub lists of a model's checkpoints, wherever its family publishes them, by the family's names for them."""

from collections.abc import Mapping
from dataclasses import dataclass

from tl_search.checkpoints import refs, registry
from tl_search.checkpoints.family import Family
from tl_search.checkpoints.offered import Offer, told
from tl_search.checkpoints.refs import Ref
from tl_search.checkpoints.repository import Access, Repository, offline
from tl_search.checkpoints.source import has_place
from tl_search.plane.revision import Revision, step_of, tokens_of
from tl_search.store.keys import is_name


@dataclass(frozen=True)
class Listing:
    """The checkpoints of one model on the Hub.

    Args:
        refs: Name → place on the Hub, for names that tell a place in training, and for `main`.
        others: Names of branches and tags that are none, sorted.
        offer: Those on one time axis.
        cache: The folder from which all this is known, if the Hub was not asked.
    """

    refs: Mapping[str, Ref]
    others: tuple[str, ...]
    offer: Offer
    cache: str | None = None

    @property
    def lacking(self) -> tuple[str, ...]:
        """The checkpoints that the registry is certain of and the Hub does not have."""
        family, model = self.offer.family, self.offer.name
        known = family.known(model) if family is not None and family.certain else ()
        return tuple(checkpoint.name for checkpoint in known if checkpoint.name not in self.refs)


def listed(access: Access, repository: str) -> Listing:
    """What the Hub has of a model; while HF_HUB_OFFLINE is set, what its cache has.

    Args:
        access: How the Hub is asked.
        repository: The model.

    Raises:
        ValueError: there is no such model, or access to it is denied.
        UnreachableError: the Hub did not answer, or there is nothing in the cache.
    """
    family, hub = registry.family_of(repository), Repository(repository, access)
    if offline():
        found = refs.in_the_cache(hub, family)
        if not found:
            hub.commits()  # which says that there is no asking
    else:
        found = refs.on_the_hub(hub, family)
    model = repository.rpartition("/")[2]
    placed = {name: ref for name, ref in found.items() if name == "main" or _is_place(name, family, model)}
    sizes, notes = (family.models.get(model), told(family, model)) if family else (None, ())
    offer = Offer(repository, _on_the_axis(placed, family, model), sizes, family, True, notes)
    here = str(hub.cache.root) if offline() else None
    return Listing(dict(sorted(placed.items())), tuple(sorted(found.keys() - placed.keys())), offer, here)


def position(name: str, family: Family | None, model: str) -> int | None:
    """Steps from the beginning of training that a name tells; None of one without a place on the time axis."""
    return family.position(name, model) if family is not None else step_of(name)


def _is_place(name: str, family: Family | None, model: str) -> bool:
    if not is_name(name):
        return False
    return has_place(name) if family is None else family.place(name, model) is not None


def _on_the_axis(refs: Mapping[str, Ref], family: Family | None, model: str) -> tuple[Revision, ...]:
    """Revisions in training order; `main` only where no other name has its step; the last one if no step is told."""
    steps = {name: step for name in refs if name != "main" and (step := position(name, family, model)) is not None}
    if "main" in refs and (family is None or family.main):
        last = position("main", family, model) if family is not None else None
        if last is None:
            steps["main"] = max(steps.values(), default=-1) + 1
        elif last not in steps.values():
            steps["main"] = last
    by_step = {steps[name]: name for name in sorted(steps, reverse=True)}
    return tuple(Revision(by_step[step], step, _tokens(by_step[step], family, model))
                 for step in sorted(by_step))  # fmt: skip


def _tokens(name: str, family: Family | None, model: str) -> int | None:
    if family is None:
        return tokens_of(name)
    place = family.place(name, model)
    return place.tokens if place else None
