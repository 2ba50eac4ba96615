"""A model's revisions in the cache of the Hub's client: what lies there, what is in use, and what may go.

The layout is the client's own. Beside its locks there is one more file for each commit that is used (`COMMIT.used`). A
process holds a shared `flock` on it while it reads the commit's files; whoever wants to remove their weights must have
it alone. On file systems that ignore `flock`, a revision may be evicted while another process loads it, which then
fails and is repeated by the same command.
"""

import errno
import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from tl_search.runs.digests import has_settings, is_model, weight_files
from tl_search.store.atomic import write_text

log = logging.getLogger(__name__)

GB = 10**9


class HubCache:
    """One model's part of the cache.

    Args:
        folder: The cache; None is the one that the Hub's client uses.
        repository: The model's full name.
    """

    def __init__(self, folder: str | None, repository: str) -> None:
        from huggingface_hub import constants

        self.root = Path(folder or constants.HF_HUB_CACHE).expanduser()
        name = "models--" + repository.replace("/", "--")
        self.repository, self.folder, self.locks = repository, self.root / name, self.root / ".locks" / name
        self._used: tuple[str, IO[str] | None] = ("", None)
        self._guard = threading.Lock()

    def snapshot(self, commit: str) -> Path:
        return self.folder / "snapshots" / commit

    @cached_property
    def named(self) -> dict[str, str]:
        """Branch or tag → commit, for those whose weights are here."""
        refs = self.folder / "refs"
        found = {path.relative_to(refs).as_posix(): path.read_text() for path in refs.rglob("*") if path.is_file()}
        places = {name: self.snapshot(commit) for name, commit in found.items()}
        return {name: found[name] for name, place in places.items() if is_model(place) and has_settings(place)}

    def name(self, name: str, commit: str) -> None:
        """Note under which name a commit that is here was published, so that it is found without a network."""
        ref = self.folder / "refs" / name
        with suppress(OSError):  # such as a cache that may only be read
            if not ref.is_file() or ref.read_text() != commit:
                write_text(ref, commit)

    def missing(self, files: Iterable[Any]) -> int:
        """The size in bytes of those of a commit's files that must be downloaded."""
        blobs = self.folder / "blobs"
        names = {(file.lfs.sha256 if file.lfs else file.blob_id): file.size or 0 for file in files}
        return sum(size for name, size in names.items() if not (blobs / str(name)).exists())

    def use(self, commit: str) -> bool:
        """Say that this process works with a commit from now on, and no longer with the one before.

        Returns:
            Whether its weights are here.
        """
        with self._guard:
            before, mark = self._used
            if before != commit:
                self._used = (commit, self._mark(commit))
                if mark is not None:
                    mark.close()
        return is_model(self.snapshot(commit))

    def is_used(self, commit: str) -> bool:
        """Whether this process works with it."""
        return self._used[0] == commit

    @contextmanager
    def held(self, commit: str) -> Iterator[None]:
        """Until the block ends, no process removes the commit's weights."""
        mark = self._mark(commit)
        try:
            yield
        finally:
            if mark is not None:
                mark.close()

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Until the block ends, no process removes anything."""
        with ExitStack() as stack:
            with suppress(OSError):  # a cache that may only be read, from which nothing is removed
                self.locks.mkdir(parents=True, exist_ok=True)
                lock = stack.enter_context((self.locks / "evicting.lock").open("a"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def make_room(self, needed: int, limit: float, last: str, wait: float) -> None:
        """Remove weights that no process uses, those first whose last use is longest ago, until the rest fits.

        Args:
            needed: Bytes that will be downloaded.
            limit: Bytes that the model may take.
            last: The commit of the final revision, which every search needs most and which goes last.
            wait: Seconds to wait for other processes to be done with what they use.

        Raises:
            OSError: (EDQUOT) processes use so much that the rest would not fit.
        """
        deadline = time.monotonic() + wait
        while not self._evict(needed, limit, last):
            if time.monotonic() >= deadline:
                full = f"checkpoints.cache_gb={limit / GB:g} is taken by revisions that are in use"
                raise OSError(errno.EDQUOT, full, str(self.folder))
            time.sleep(0.2)

    def _evict(self, needed: int, limit: float, last: str) -> bool:
        """Remove as much as is needed and possible. Returns whether there is room now."""
        with self.settled():
            while self._taken() + needed > limit:
                if not self._remove_one(last):
                    return False
        return True

    def _taken(self) -> int:
        blobs = self.folder / "blobs"
        return sum(path.stat().st_size for path in blobs.iterdir()) if blobs.is_dir() else 0

    def _remove_one(self, last: str) -> bool:
        """Remove the weights of the least useful commit, but for files that other commits have too.

        Returns:
            Whether there was a commit with weights that no process uses.
        """
        from huggingface_hub import scan_cache_dir

        def usefulness(revision: Any) -> tuple[bool, float]:
            mark = self.locks / f"{revision.commit_hash}.used"
            return revision.commit_hash == last, mark.stat().st_mtime if mark.exists() else revision.last_modified

        scanned = scan_cache_dir(self.root)
        here = self.root.resolve() / self.folder.name
        found = [repo.revisions for repo in scanned.repos if repo.repo_path == here]
        for warning in scanned.warnings:
            if str(here) in str(warning):
                log.warning("%s: nothing in it can be removed: %s", self.folder, warning)
        for revision in sorted(found[0], key=usefulness) if found else ():
            names = weight_files(file.file_name for file in revision.files)
            weights = [file for file in revision.files if file.file_name in names]
            if weights:
                with self._alone(revision.commit_hash) as alone:
                    if alone:
                        removal = scanned.delete_files(*weights)
                        freed, commit = removal.expected_freed_size_str, revision.commit_hash[:12]
                        log.info("%s: removing the weights of %s (%s)", self.folder, commit, freed)
                        removal.execute()
                        return True
        return False

    def _mark(self, commit: str) -> IO[str] | None:
        """A file whose lock says, until it is closed, that the commit is in use; None where files cannot be made."""
        try:
            self.locks.mkdir(parents=True, exist_ok=True)
            mark = (self.locks / f"{commit}.used").open("a")
            fcntl.flock(mark, fcntl.LOCK_SH)
            os.utime(mark.fileno())
        except OSError:
            return None
        return mark

    @contextmanager
    def _alone(self, commit: str) -> Iterator[bool]:
        """Whether no process uses the commit; none begins to before the block ends."""
        self.locks.mkdir(parents=True, exist_ok=True)
        with (self.locks / f"{commit}.used").open("a") as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True
