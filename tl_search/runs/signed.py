"""`RUN/checkpoints/states.jsonl`: for every training state the digest of its manifest, as it was when it was written.

So nobody changes what a manifest says of a state (its step, its losses, the digests of its files) in that one file. A
run from before this file was kept has none, and its states are believed as they were.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tl_search.runs.layout import RunPaths
from tl_search.store.journal import Journal
from tl_search.store.keys import check_name, digest
from tl_search.store.manifest import NAME, DamagedError
from tl_search.store.typed_json import from_plain, to_plain


@dataclass(frozen=True)
class SignedState:
    """A line: a state, and the digest of its manifest."""

    name: str
    manifest: str

    def __post_init__(self) -> None:
        check_name(self.name, "name")


def sign(run: Path, name: str, manifest: dict[str, Any]) -> None:
    """Enter a state that is about to get its name; after a kill in between, an earlier state of the name counts too."""
    line = to_plain(SignedState(name, digest(manifest)))
    journal = _journal(run)
    if line not in journal.records():
        journal.append(line)


def check_signed(folder: Path, manifest: dict[str, Any]) -> None:
    """Check the manifest of a state against the lines of its name, if there are any.

    Raises:
        DamagedError: it is not the one that was written.
        ValueError: a line is damaged.
    """
    journal = _journal(folder.parents[1])
    signed = set[str]()
    for number, record in enumerate(journal.peek(), 1):
        with journal.fitting(number):
            line: SignedState = from_plain(SignedState, record)
        if line.name == folder.name:
            signed.add(line.manifest)
    if signed and digest(manifest) not in signed:
        raise DamagedError(f"{folder / NAME}: is not as it was written ({journal.path.name} says so)")


def _journal(run: Path) -> Journal:
    return Journal(RunPaths(run).signed, "remove it, if nobody but you could have changed the states")
