"""Which of a source's revisions a sampling picks for a search, and what to tell of those that it does not find."""

import logging
from collections.abc import Sequence

from tl_search.checkpoints import registry
from tl_search.checkpoints.family import Family
from tl_search.checkpoints.hub import HubCheckpoints
from tl_search.checkpoints.source import CheckpointSource
from tl_search.checkpoints.spelling import spelled, tell_spelling
from tl_search.plane.revision import Revision
from tl_search.plane.sampling import Listed, Sampling, notes

log = logging.getLogger(__name__)


def check_names(source: CheckpointSource, sampling: Sampling) -> None:
    """See, without asking for revisions, whether the listed names are some that the family's checkpoints can have.

    Raises:
        ValueError: one is none; the message is `sampling.revisions: …`.
    """
    _spelled(source, sampling, ())


def picked(source: CheckpointSource, sampling: Sampling) -> tuple[Revision, ...]:
    """The revisions of the plane, in training order. Raises ValueError for a listed name that no revision can have."""
    revisions = source.revisions()
    listed = _spelled(source, sampling, revisions)
    try:
        return tuple(listed.pick(revisions))
    except ValueError as error:
        raise ValueError(f"sampling.{error}") from error


def tell_nearest(source: CheckpointSource, sampling: Sampling) -> None:
    """Log the steps of the sampling's rule at which there is no revision, and listed names that are spelled anew."""
    for note in notes(sampling, source.revisions()):
        log.info("sampling: %s", note)
    tell_spelling(sampling, *_family(source))


def lacking(source: CheckpointSource, sampling: Sampling) -> list[str]:
    """A line for each listed revision that the source does not have; each is logged as a warning.

    Raises:
        ValueError: there are some, and the source is strict.
    """
    lines = []
    if isinstance(sampling, Listed):
        known = tuple(sorted((*source.revisions(), *_skipped(source)), key=lambda revision: revision.step))
        listed = _spelled(source, sampling, known)
        assert isinstance(listed, Listed)
        gone = set(listed.lacking(known))
        names = [
            str(asked) for asked, own in zip(sampling.revisions, listed.revisions, strict=True) if str(own) in gone
        ]
        lines = [f"{name}: left out, since {source.model} has no such revision" for name in names]
    if lines and getattr(source, "strict_revisions", False):
        raise ValueError(f"checkpoints.strict_revisions: must be false to go on without revisions; {'; '.join(lines)}")
    for line in lines:
        log.warning(line)
    return lines


def missed(source: CheckpointSource, sampling: Sampling) -> tuple[Revision, ...]:
    """The revisions that the sampling would have picked, had the source been able to read them."""
    skipped = _skipped(source)
    if not skipped:
        return ()
    everything = sorted((*source.revisions(), *skipped), key=lambda revision: revision.step)
    wanted = _spelled(source, sampling, everything).pick(everything)
    return tuple(revision for revision in wanted if revision in skipped)


def _skipped(source: CheckpointSource) -> tuple[Revision, ...]:
    found: tuple[Revision, ...] = getattr(source, "skipped", tuple)()
    return found


def _spelled(source: CheckpointSource, sampling: Sampling, revisions: Sequence[Revision]) -> Sampling:
    try:
        return spelled(sampling, *_family(source), {revision.name for revision in revisions})
    except ValueError as error:
        raise ValueError(f"sampling.{error}") from error


def _family(source: CheckpointSource) -> tuple[Family | None, str]:
    """The family of a published model, and the model's name in it."""
    if not isinstance(source, HubCheckpoints):
        return None, ""
    return registry.family_of(source.repository), source.repository.rpartition("/")[2]
