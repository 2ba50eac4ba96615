"""Keeps what a model takes in the Hub's cache within a limit: what was used longest ago goes first, nothing in use."""

import errno
import logging
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tl_search.checkpoints.cache import HubCache
from tl_search.runs.digests import weight_files

log = logging.getLogger(__name__)

GB = 10**9


class Quota:
    """A limit for all repositories of one model.

    Args:
        caches: Their parts of the cache.
        limit: GB that they may take together.
    """

    def __init__(self, caches: Collection[HubCache], limit: float) -> None:
        self.caches = sorted(caches, key=lambda cache: cache.repository)  # all processes lock in this order
        self.limit = limit

    def make_room(self, needed: int, keep: Collection[Path], last: str, wait: float) -> None:
        """Remove weights that no process uses, those first whose last use is longest ago, until the rest fits.

        Args:
            needed: Bytes that will be downloaded.
            keep: Parts of files whose download will go on.
            last: The commit of the final revision, which every search needs most and which goes last.
            wait: Seconds to wait for other processes to be done with what they use.

        Raises:
            OSError: (EDQUOT) processes use so much that the rest would not fit.
        """
        deadline = time.monotonic() + wait
        while not self._evict(needed, keep, last):
            if time.monotonic() >= deadline:
                full = f"checkpoints.cache_gb={self.limit:g} is taken by revisions that are in use"
                raise OSError(errno.EDQUOT, full, str(self.caches[0].folder))
            time.sleep(0.2)

    def _evict(self, needed: int, keep: Collection[Path], last: str) -> bool:
        """Remove as much as is needed and possible. Returns whether there is room now."""
        with ExitStack() as stack:
            for cache in self.caches:
                stack.enter_context(cache.settled())
            while self._taken() + needed > self.limit * GB:
                if not (self._remove_part(keep) or self._remove_one(last)):
                    return False
        return True

    def _taken(self) -> int:
        return sum(path.stat().st_size for cache in self.caches for path in _blobs(cache))

    def _remove_part(self, keep: Collection[Path]) -> bool:
        """Remove a part of a file that nobody downloads now. Returns whether there was one."""
        from huggingface_hub.utils import WeakFileLock

        for cache in self.caches:
            for part in (path for path in _blobs(cache) if path.suffix == ".incomplete" and path not in keep):
                try:
                    with WeakFileLock(cache.locks / f"{part.name.partition('.')[0]}.lock", timeout=0.01):
                        part.unlink()
                        return True
                except (TimeoutError, FileNotFoundError):
                    continue
        return False

    def _remove_one(self, last: str) -> bool:
        """Remove the weights of the least useful commit, but for files that other commits have too.

        Returns:
            Whether there was a commit with weights that no process uses.
        """
        from huggingface_hub import scan_cache_dir

        scanned = scan_cache_dir(self.caches[0].root)
        caches = {cache.root.resolve() / cache.folder.name: cache for cache in self.caches}
        for warning in scanned.warnings:
            if any(str(here) in str(warning) for here in caches):
                log.warning("%s: nothing in it can be removed: %s", self.caches[0].folder, warning)

        def usefulness(found: tuple[HubCache, Any]) -> tuple[bool, float]:
            cache, revision = found
            mark = cache.locks / f"{revision.commit_hash}.used"
            return revision.commit_hash == last, mark.stat().st_mtime if mark.exists() else revision.last_modified

        found = [(caches[repo.repo_path], revision) for repo in scanned.repos if repo.repo_path in caches
                 for revision in repo.revisions]  # fmt: skip
        for cache, revision in sorted(found, key=usefulness):
            names = weight_files(file.file_name for file in revision.files)
            weights = [file for file in revision.files if file.file_name in names]
            if weights:
                with cache.alone(revision.commit_hash) as alone:
                    if alone:
                        removal = scanned.delete_files(*weights)
                        freed, commit = removal.expected_freed_size_str, revision.commit_hash[:12]
                        log.info("%s: removing the weights of %s (%s)", cache.folder, commit, freed)
                        removal.execute()
                        return True
        return False


def _blobs(cache: HubCache) -> Iterator[Path]:
    blobs = cache.folder / "blobs"
    return blobs.iterdir() if blobs.is_dir() else iter(())
