"""The beginning of a corpus, to try a training on."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

from tl_search.text.corpus import Corpus
from tl_search.text.mix import Mix

_FIRST = 256  # documents that are asked for at first


def excerpt_of(corpus: Corpus, characters: int) -> Corpus:
    """The beginning of a corpus; of a mix, that of each of its sources."""
    if isinstance(corpus, Mix):
        return replace(corpus, sources={name: Excerpt(one, characters) for name, one in corpus.sources.items()})
    return Excerpt(corpus, characters)


@dataclass(frozen=True)
class Excerpt(Corpus):
    """The first documents of a corpus that hold so many characters; of one that is far away, nothing else is fetched.

    Args:
        corpus: Where they come from.
        characters: Number of characters after which no further document is read; a longer document is cut there.
    """

    corpus: Corpus
    characters: int

    def check(self) -> None:
        self.corpus.check()

    @property
    def remote(self) -> str | None:
        return self.corpus.remote

    def documents(self) -> Iterator[str]:
        if self.corpus.remote is not None:
            with suppress(OSError):  # without network there may be a copy on this machine
                yield from self._cut(iter(self._fetched()))
                return
        yield from self._cut(self.corpus.documents())

    def _fetched(self) -> list[str]:
        count = _FIRST
        while True:
            documents, _ = self.corpus.glimpse(count)
            if len(documents) < count or sum(map(len, documents)) >= self.characters:
                return documents
            count *= 4

    def _cut(self, documents: Iterator[str]) -> Iterator[str]:
        left = self.characters
        for document in documents:
            yield document[:left]
            left -= len(document)
            if left <= 0:
                return

    def glimpse(self, count: int) -> tuple[list[str], int | None]:
        return list(islice(self.documents(), count)), None
