"""Reads the names in a list of revisions as the family of a published model spells them."""

import logging
from collections.abc import Collection
from dataclasses import replace

from tl_search.checkpoints.family import Family
from tl_search.errors.nearest import did_you_mean
from tl_search.plane.revision import step_of
from tl_search.plane.sampling import Listed, Sampling

log = logging.getLogger(__name__)


def spelled(sampling: Sampling, family: Family | None, model: str, known: Collection[str] = ()) -> Sampling:
    """A list of revisions in the family's spelling; every other sampling as it is.

    Args:
        family: Of the model; None if the registry has none.
        model: Its name, without the organisation.
        known: The names of its revisions, as far as they are known.

    Raises:
        ValueError: the family names no checkpoint so; the message begins with the setting, `revisions`.
    """
    if not isinstance(sampling, Listed) or family is None:
        return sampling
    return replace(sampling, revisions=tuple(_own(entry, family, model, known) for entry in sampling.revisions))


def tell_spelling(sampling: Sampling, family: Family | None, model: str) -> None:
    """Warn of names in a list that the family spells in another way."""
    for entry in sampling.revisions if isinstance(sampling, Listed) and family is not None else ():
        if (
            isinstance(entry, str)
            and family is not None
            and (meant := _meant(entry, family, model)) not in (entry, None)
        ):
            log.warning("%s: read as %s, which is how %s writes it", entry, meant, family.title)


def _own(entry: str | int, family: Family, model: str, known: Collection[str]) -> str | int:
    if isinstance(entry, int) or entry == "main":
        return entry
    meant = _meant(entry, family, model)
    if meant is None:
        raise ValueError(
            f"revisions: {entry!r} is no name of a checkpoint of {family.title}{_hint(entry, family, model)}"
        )
    position = family.position(meant, model)
    if position is None:
        raise ValueError(f"revisions: {entry} is of a run beside the others, so it has no place on their time axis")
    return meant if step_of(meant) == position or meant in known else position


def _hint(entry: str, family: Family, model: str) -> str:
    """The nearest name that the family has; where none is similar, some of them, or else how they are made."""
    names = [one.name for one in family.known(model)]
    if near := did_you_mean(entry, names):
        return near
    some = f"{names[0]}, …, {names[-1]}" if names else ", ".join(naming.template for naming in family.names)
    return f" (its names: {some})"


def _meant(entry: str, family: Family, model: str) -> str | None:
    return entry if entry == "main" or family.place(entry, model) else family.meant(entry, model)
