"""A model's revisions in the cache of the Hub's client: what lies there, and what is in use.

The layout is the client's own. Beside its locks there is one more file for each commit that is used (`COMMIT.used`). A
process holds a shared `flock` on it while it reads the commit's files; whoever wants to remove their weights must have
it alone. On file systems that ignore `flock`, a revision may be evicted while another process loads it, which then
fails and is repeated by the same command.
"""

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from tl_search.runs.digests import has_settings, is_model
from tl_search.store.atomic import write_text


def cached_repositories(folder: str | None, prefix: str) -> list[str]:
    """The names of the models in a cache that begin with `prefix`, sorted."""
    root = HubCache(folder, prefix).folder
    found = root.parent.glob("models--*")
    return sorted(path.name.removeprefix("models--").replace("--", "/", 1) for path in found
                  if path.name.startswith(root.name))  # fmt: skip


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

    def blob(self, digest: str) -> Path:
        """The place of a file's content."""
        return self.folder / "blobs" / digest

    def part(self, digest: str) -> Path:
        """The place of what has come of a file's content."""
        return self.folder / "blobs" / f"{digest}.incomplete"

    def missing(self, files: Iterable[Any]) -> tuple[int, list[Path]]:
        """The size in bytes of what must be downloaded of a commit's files, and the parts of them that are here."""
        names = {(file.lfs.sha256 if file.lfs else file.blob_id): file.size or 0 for file in files}
        lacking = {name: size for name, size in names.items() if not self.blob(name).exists()}
        parts = [part for part in map(self.part, lacking) if part.exists()]
        return sum(lacking.values()) - sum(part.stat().st_size for part in parts), parts

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

    def leave(self) -> None:
        """Say that this process works with none of its commits any more."""
        with self._guard:
            (_, mark), self._used = self._used, ("", None)
            if mark is not None:
                mark.close()

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
    def alone(self, commit: str) -> Iterator[bool]:
        """Whether no process uses the commit; none begins to before the block ends."""
        self.locks.mkdir(parents=True, exist_ok=True)
        with (self.locks / f"{commit}.used").open("a") as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True
