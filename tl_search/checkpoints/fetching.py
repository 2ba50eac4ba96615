"""Brings one revision of a model into the Hub's cache, whole and checked."""

import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path

from tl_search.checkpoints.refs import Ref
from tl_search.checkpoints.repository import MissingError, Repository, offline
from tl_search.plane.revision import Revision
from tl_search.runs import digests
from tl_search.store.manifest import DamagedError

_fetching = threading.Lock()  # so that two downloads do not both count on the same room


def fetched(hub: Repository, revision: Revision, ref: Ref, room: Callable[[], None] | None) -> Path:
    """The revision's folder in the cache; files that are missing there are downloaded.

    Args:
        hub: The repository that holds it.
        room: Makes room for its files; None without a limit.

    Raises:
        DamagedError: the files differ from what the Hub lists, also after a second download; or the revision was
            removed from the Hub.
        RefusedError: access is denied.
        UnreachableError: the Hub did not answer.
        OSError: the disk, or the limit, is full.
    """
    with _fetching if room is not None else nullcontext(), hub.cache.held(ref.commit):
        return _fetched(hub, revision, ref, room)


def _fetched(hub: Repository, revision: Revision, ref: Ref, room: Callable[[], None] | None) -> Path:
    folder = hub.cache.snapshot(ref.commit)
    hub.code(ref.commit, revision.name)  # which lets it run, if the person does
    for again in (False, True):
        if not offline():
            try:
                if room is not None:
                    room()
                _download(hub, revision.name, ref.commit, again)
            except MissingError as error:
                raise DamagedError(str(error)) from error
        with suppress(ValueError):  # no weights: another process has removed them in this moment
            if digests.folder_digests(folder) == (revision.weights, revision.tokenizer):
                with hub.cache.settled():
                    if digests.is_model(folder):
                        return folder
    raise DamagedError(f"{folder}: {revision.name} is not what the Hub lists, though it was downloaded twice")


def _download(hub: Repository, name: str, commit: str, again: bool) -> None:
    """Download a commit's files that are not in the cache; with `again` also those that are."""
    weights = hub.weights(commit, name)
    for file in (*hub.code(commit, name), *hub.others(commit, name)):
        hub.download(commit, name, file, again)
    for file, listed in weights.items():
        hub.download(commit, name, file, again, listed)
