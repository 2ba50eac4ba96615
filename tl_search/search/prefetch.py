"""Fetches each revision once, and in advance the one that is probably needed next."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Self

from tl_search.checkpoints.source import CheckpointSource
from tl_search.errors.stopping import check
from tl_search.plane.revision import Revision

log = logging.getLogger(__name__)


class Prefetch:
    """Local folders of revisions, fetched when they are asked for or ahead of that.

    A fetch waits for the network or the disk and hashes files. Both release Python's lock, so a thread is enough.

    Args:
        fetch: Gives the local folder of a revision that a model can be loaded from, its files verified. Two threads may
            call it at once.
        using: Is told which revision is needed from now on, and says whether its folder still has all files. Sources
            that remove what is no longer used have it.
    """

    def __init__(self, fetch: Callable[[Revision], Path], using: Callable[[Revision], bool] = lambda _: True) -> None:
        self._fetch, self._using = fetch, using
        self._folders: dict[str, Future[Path]] = {}

    @classmethod
    def of(cls, source: CheckpointSource) -> Self:
        """From a source of revisions, which may have a method `using` (the Hub's does)."""
        return cls(source.fetch, getattr(source, "using", lambda _: True))

    def expect(self, revision: Revision) -> None:
        """Start to fetch a revision in the background, unless another fetch is running: guesses must not pile up."""
        under_way = any(not found.done() for found in self._folders.values())
        if revision.name in self._folders or under_way:
            return
        log.debug("fetching %s ahead", revision.name)
        found = self._folders[revision.name] = Future()
        # a daemon thread, so that a search that is stopped ends without waiting for the download
        threading.Thread(target=self._settle, args=(revision, found), name="fetching", daemon=True).start()

    def folder(self, revision: Revision) -> Path:
        """The local folder of a revision, once it is fetched. A fetch that failed ahead of time is tried again now.

        Raises:
            What `fetch` raises.
        """
        check()  # the wait may be long
        self._using(revision)  # first, because a fetch under way may wait for the room of what was used before
        ahead = self._folders.get(revision.name)
        if ahead is not None and ahead.exception() is None and self._using(revision):
            return ahead.result()
        now = self._folders[revision.name] = Future()
        self._settle(revision, now)
        return now.result()

    def _settle(self, revision: Revision, found: "Future[Path]") -> None:
        try:
            found.set_result(self._fetch(revision))
        except Exception as error:
            found.set_exception(error)
