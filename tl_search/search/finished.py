"""A finished search that is asked for again: whether it is still the answer for its checkpoints, and whole on disk."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tl_search.plane.revision import Revision
from tl_search.runs.layout import RunPaths
from tl_search.runs.outcome import Outcome
from tl_search.runs.pulls import BanditState
from tl_search.runs.record import Done, RunRecord
from tl_search.runs.searched_plane import SearchedPlane, changed_revisions
from tl_search.store.manifest import file_digest

SOURCES = logging.getLogger("tl_search.checkpoints")


def check_unchanged(run: Path, revisions: tuple[Revision, ...]) -> None:
    """Compare the plane that a finished search searched with the one that its settings mean now.

    Raises:
        ValueError: they differ; the message says in what, and how the plane of now is searched.
    """
    if not RunPaths(run).is_search:
        return
    changed = changed_revisions(SearchedPlane.read(run).revisions, revisions)
    if changed:
        record = RunRecord.read(run)
        name = record.name.removesuffix(f"-{record.varied}") if record else run.name
        raise ValueError(
            f"checkpoints: must be those that {run} searched, got others ({changed}); to search them, repeat the "
            f"command with name={name}-2, which reuses all scores in the ledger; the old answer: tl report {run}"
        )


def what_is_lost(run: Path, done: Done) -> str | None:
    """What a finished search has lost of its answer, in one line; None of one that is whole."""
    paths = RunPaths(run)
    try:
        if not SearchedPlane.read(run).tasks:
            return None
        BanditState.read(run)
        if Outcome.read(run) is None:
            return f"{paths.result}: missing"
    except ValueError as error:
        return str(error)
    if "result" in done.facts and done.facts["result"] != file_digest(paths.result):
        return f"{paths.result}: not as it was when the search was finished"
    return None if paths.scores.is_dir() else f"{paths.scores}: missing"


@contextmanager
def listening() -> Iterator[list[str]]:
    """Collects what checkpoint sources say of revisions that they leave out, in the order of the lines."""
    told: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if ": left out" in (line := record.getMessage()):
                told.append(line)

    collector = Collector(logging.WARNING)
    SOURCES.addHandler(collector)
    try:
        yield told
    finally:
        SOURCES.removeHandler(collector)
