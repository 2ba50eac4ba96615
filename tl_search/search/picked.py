"""Which of a source's revisions a sampling picks for a search, and what to tell of those that it does not find."""

import logging

from tl_search.checkpoints.source import CheckpointSource
from tl_search.plane.revision import Revision
from tl_search.plane.sampling import Listed, Sampling, notes

log = logging.getLogger(__name__)


def picked(source: CheckpointSource, sampling: Sampling) -> tuple[Revision, ...]:
    """The revisions of the plane, in training order. Raises ValueError for a listed name that no revision can have."""
    revisions = source.revisions()  # which names its own settings
    try:
        return tuple(sampling.pick(revisions))
    except ValueError as error:
        raise ValueError(f"sampling.{error}") from error


def tell_nearest(source: CheckpointSource, sampling: Sampling) -> None:
    """Log the steps of the sampling's rule at which there is no revision."""
    for note in notes(sampling, source.revisions()):
        log.info("sampling: %s", note)


def lacking(source: CheckpointSource, sampling: Sampling) -> list[str]:
    """A line for each listed revision that the source does not have; each is logged as a warning."""
    names = sampling.lacking(source.revisions()) if isinstance(sampling, Listed) else ()
    lines = [f"{name}: left out, since {source.model} has no such revision" for name in names]
    for line in lines:
        log.warning(line)
    return lines
