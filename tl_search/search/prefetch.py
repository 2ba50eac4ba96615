"""Revisions on their way here: each is fetched once, and the one that seems to be next while another is worked on."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from tl_search.plane.revision import Revision

log = logging.getLogger(__name__)


class Weights:
    """Folders of revisions, fetched when they are asked for, or before.

    Fetching is waiting (for the network, the disk) and hashing, both without Python's lock, so a thread is enough.

    Args:
        fetch: A revision to its loadable folder, verified; may be called by two threads at once.
    """

    def __init__(self, fetch: Callable[[Revision], Path]) -> None:
        self._fetch = fetch
        self._folders: dict[str, Future[Path]] = {}

    def expect(self, revision: Revision) -> None:
        """Begin to fetch it, unless another is still on its way: a wrong guess must not pile up behind others."""
        under_way = any(not found.done() for found in self._folders.values())
        if revision.name in self._folders or under_way:
            return
        log.debug("fetching %s ahead", revision.name)
        found = self._folders[revision.name] = Future()
        # a daemon: who stops the search does not wait for a download
        threading.Thread(target=self._settle, args=(revision, found), name="fetching", daemon=True).start()

    def folder(self, revision: Revision) -> Path:
        """Where it lies; waits for it. What failed ahead of time is tried again now, and raises what `fetch` raises."""
        ahead = self._folders.get(revision.name)
        if ahead is not None and ahead.exception() is None:
            return ahead.result()
        now = self._folders[revision.name] = Future()
        self._settle(revision, now)
        return now.result()

    def _settle(self, revision: Revision, found: "Future[Path]") -> None:
        try:
            found.set_result(self._fetch(revision))
        except Exception as error:
            found.set_exception(error)
