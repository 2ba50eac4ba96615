"""A corpus that is made of several others: named sources, whose shares a stage of training may set."""

import math
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from tl_search.errors.nearest import did_you_mean
from tl_search.text.corpus import Corpus

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")  # so that it can be typed as a part of a setting's name
_WHOLE = "data.corpus"  # how messages of a corpus name it


@dataclass(frozen=True)
class Mix(Corpus):
    """Several corpora, each under a name of its own.

    Which source each block of a training comes from, the shares of the present stage say. Documents of two sources are
    never in one block.

    Args:
        sources: Name → corpus. The order does not matter.
        mix: Name → share of the blocks, >= 0, where a stage sets none; a source that it does not name, or whose share
            is None, has the share 0. Only the ratios count. Empty: all sources have the same share.
    """

    sources: Mapping[str, Corpus]
    mix: Mapping[str, float | None] = field(default_factory=dict)

    DECIDES: ClassVar = {"weights": "sources mix"}

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("sources: must hold a source (name → corpus), got none")
        for name, source in self.sources.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"sources: must have names of letters, digits, _ and -, got {name!r}")
            if isinstance(source, Mix):
                raise ValueError(f"sources.{name}: must be a corpus without sources of its own, got a mix")
        object.__setattr__(self, "sources", dict(sorted(self.sources.items())))
        self.shares()

    def shares(self, mix: Mapping[str, float | None] | None = None) -> dict[str, float]:
        """Source → its part of the whole, which is 1. Without a mix of a stage, it is the corpus's own.

        Raises:
            ValueError: it names no source, or not shares of them.
        """
        given = {name: share for name, share in (self.mix if mix is None else mix).items() if share is not None}
        for name, share in given.items():
            if name not in self.sources:
                names, near = ", ".join(self.sources), did_you_mean(name, self.sources)
                raise ValueError(f"mix: must name sources out of {names}, got {name!r}{near}")
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < math.inf:
                raise ValueError(f"mix.{name}: must be a finite number >= 0, got {share}")
        if not given and mix is None:
            return dict.fromkeys(self.sources, 1 / len(self.sources))
        largest = max(given.values(), default=0)
        if not largest:
            raise ValueError(f"mix: must give a source a share > 0, got {dict(given)}")
        total = sum(share / largest for share in given.values())  # the largest is taken out, so that nothing overflows
        return {name: given.get(name, 0) / largest / total for name in self.sources}

    def documents(self) -> Iterator[str]:
        for source in self.sources.values():
            yield from source.documents()

    def check(self) -> None:
        for name, source in self.sources.items():
            with of_source(name):
                try:
                    source.check()
                except ValueError as error:
                    raise ValueError(f"sources.{name}.{error}") from error

    @property
    def remote(self) -> str | None:
        return ", ".join(name for source in self.sources.values() if (name := source.remote)) or None

    def glimpse(self, count: int) -> tuple[list[str], int | None]:
        found = [source.glimpse(-(-count // len(self.sources))) for source in self.sources.values()]
        totals = [total for _, total in found if total is not None]
        first = [document for documents, _ in found for document in documents]
        return first[:count], sum(totals) if len(totals) == len(found) else None


@contextmanager
def of_source(name: str) -> Iterator[None]:
    """What is said of a corpus meanwhile, as an error or a warning, names it as a source of a mix."""

    def named(said: object) -> str:
        return re.sub(rf"^{re.escape(_WHOLE)}\b", f"{_WHOLE}.sources.{name}", str(said))

    with warnings.catch_warnings(record=True) as told:
        try:
            yield
        except ValueError as error:
            raise ValueError(named(error)) from error
    for each in told:
        warnings.warn_explicit(named(each.message), each.category, each.filename, each.lineno)
