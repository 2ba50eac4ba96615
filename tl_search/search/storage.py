"""How much the vectors of columns may take on disk, and what is left of them when a search is finished.

All searches share one folder of vectors: what one has embedded, the next one scores otherwise, with another policy,
another seed or other readouts. So vectors are kept within a limit, and those that nobody has used for longest go first.
What a search itself may still need is never removed, so that nothing is embedded twice: any cell of its plane may be
asked for until the policy has ended, and finalists are scored on the same vectors once more.
"""

import logging
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tl_search.errors.limits import between
from tl_search.plane.arm import Plane
from tl_search.probe.embed import column_key
from tl_search.search.readouts import FittedReadouts, maps
from tl_search.search.texts import SuiteTexts
from tl_search.store.arrays import ArrayStore, Entry

log = logging.getLogger(__name__)

GB = 10**9
MOST_GB = 10**9
_OURS = re.compile("[0-9a-f]{32}")  # the keys of columns and maps; a person's folder may hold other files
RECENT = 600  # seconds in which what was used belongs to another search that is going on; each cell is a use


@dataclass(frozen=True)
class Storage:
    """What becomes of the vectors that are embedded, and of the maps of readouts.

    Args:
        keep: Whether they stay when a search is finished, for other searches and for notebooks.
        max_gb: GB (10^9 bytes) that they may take, > 0; None: no limit. What searches that go on need may exceed it.

    Raises:
        ValueError: `max_gb` is not above 0.
    """

    keep: bool = True
    max_gb: float | None = 50.0

    DECIDES: ClassVar = {"free": "keep max_gb"}

    def __post_init__(self) -> None:
        if self.max_gb is not None and not self.max_gb > 0:  # also refuses NaN
            raise ValueError(f"max_gb: must be > 0, got {self.max_gb:g}; store.keep=false keeps nothing")
        between(0, MOST_GB, max_gb=self.max_gb)


@dataclass
class HeldColumns:
    """The columns and maps that a search may need, within the folder that all searches share.

    Args:
        storage: The limit, and whether anything is kept.
        columns: Where vectors are; the maps of readouts lie below.
        plane: The searched one.
        suites: The texts that the search embeds; `need` adds some.
        readouts: Fits the plane's readouts; None where there is only raw.
    """

    storage: Storage
    columns: ArrayStore
    plane: Plane
    suites: Sequence[SuiteTexts]
    readouts: FittedReadouts | None = None
    _told: bool = False
    _known: dict[int, set[str]] = field(default_factory=dict)  # keys of columns, by the number of the suite

    def need(self, suite: SuiteTexts) -> None:
        """Keep the columns of these texts, too."""
        if not any(suite is one for one in self.suites):
            self.suites = [*self.suites, suite]

    def trim(self) -> None:
        """Remove what was used longest ago and is not needed here, until the rest keeps to the limit."""
        self._trim(done=False)

    def finish(self) -> None:
        """What is done when the search is: remove its columns and maps unless they are kept, and say what there is."""
        said = "kept for other searches"
        if not self.storage.keep:
            sizes = [self.columns.drop(key) for key in sorted(self._columns())]
            sizes += [maps(self.columns.folder).drop(key) for key in sorted(self._maps())]
            said = f"after {sum(map(bool, sizes))} files of this search, {sum(sizes) / GB:.3g} GB, were removed"
        self._trim(done=True)
        left = [entry.size for _, entry in self._entries()]
        log.info("%s: %d files of embeddings, %.3g GB, %s", self.columns.folder, len(left), sum(left) / GB, said)

    def _trim(self, done: bool) -> None:
        """As `trim`; when the search is done, what was its own may go, too."""
        if self.storage.max_gb is None:
            return
        limit, found = self.storage.max_gb * GB, self._entries()
        taken = sum(entry.size for _, entry in found)
        if taken <= limit:
            return
        own, before, removed, freed = self._columns() | self._maps(), time.time_ns() - RECENT * 10**9, 0, 0
        for store, entry in found:
            if taken - freed > limit and (done if entry.key in own else entry.used < before):
                removed, freed = removed + 1, freed + store.drop(entry.key)
        if removed:
            what = f"removed {removed} files that were not used for longest, {freed / GB:.3g} GB"
            log.info("%s: %s; store.max_gb is %g", self.columns.folder, what, self.storage.max_gb)
        if taken - freed > limit and not self._told:
            self._told = True
            size = f"{(taken - freed) / GB:.3g} GB, more than store.max_gb={self.storage.max_gb:g}"
            who = f"which this search may still need or others have used in the last {RECENT // 60} minutes"
            log.warning("%s: holds %s, %s", self.columns.folder, size, who)

    def _entries(self) -> list[tuple[ArrayStore, Entry]]:
        """All columns and maps in the folder, those that were used longest ago first. Files of others do not count."""
        stores = self.columns, maps(self.columns.folder)
        found = [(store, entry) for store in stores for entry in store.entries() if _OURS.fullmatch(entry.key)]
        return sorted(found, key=lambda pair: pair[1].used)

    def _columns(self) -> set[str]:
        """The keys of all columns that the search may use, made once: every text counts in them."""
        for number, suite in enumerate(self.suites):
            if number not in self._known:
                self._known[number] = set(self._keys(suite.parts.values()))
        return set().union(*self._known.values())

    def _keys(self, parts: Iterable[Sequence[str]]) -> Iterable[str]:
        return (
            column_key(revision, self.plane.extraction, part)
            for part in parts
            if part
            for revision in self.plane.revisions
        )

    def _maps(self) -> set[str]:
        if self.readouts is None:
            return set()
        return {self.readouts.key(arm) for arm in self.plane.arms() if not arm.readout.is_raw}
