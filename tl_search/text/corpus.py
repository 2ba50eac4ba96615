"""What every corpus (text to train on) must offer."""

import hashlib
from abc import abstractmethod
from collections.abc import Iterator
from itertools import islice
from typing import Protocol


class Corpus(Protocol):
    """Documents in a fixed order.

    A class that inherits from this one needs to define only `documents`. It should be a frozen dataclass, because its
    fields are part of what identifies a training run.
    """

    @abstractmethod
    def documents(self) -> Iterator[str]:
        """The same documents in the same order each time.

        Raises:
            ValueError: the text cannot be read; the message says which setting is wrong.
        """

    def documents_by_first_rules(self) -> Iterator[str]:
        """What `documents` gave to runs whose record names no rules, where that was something else."""
        return self.documents()

    def check(self) -> None:
        """Quickly look for mistakes in the settings, without reading the text.

        Raises:
            ValueError: `field: must be X, got Y`.
        """
        return

    @property
    def remote(self) -> str | None:
        """The name of what must be downloaded before the text can be read; None where it is on this machine."""
        return None

    def glimpse(self, count: int) -> tuple[list[str], int | None]:
        """(The first documents, the number of all or None where it is unknown), without downloading the rest.

        There are at most `count` documents.

        Raises:
            OSError: the server does not answer.
            ValueError: as for `documents`.
        """
        return list(islice(self.documents(), count)), None


class Reading(Corpus):
    """A corpus as it is packed: without byte-order marks, and without documents that hold no text.

    Args:
        corpus: What is read.
        rules: The rules of the run that reads it (`training.tokens.RULES`); by the first ones, every document counts.
    """

    def __init__(self, corpus: Corpus, rules: int) -> None:
        self.corpus, self.rules = corpus, rules
        self.characters = self.empty = 0  # of the last pass: those that were read; documents that were skipped

    def documents(self) -> Iterator[str]:
        self.characters = self.empty = 0
        if self.rules == 1:
            yield from self.corpus.documents_by_first_rules()
            return
        for document in self.corpus.documents():
            document = document.removeprefix("\ufeff")
            self.characters += len(document)
            self.empty += not document
            if document:
                yield document


def fingerprint(corpus: Corpus) -> tuple[str, int]:
    """(16 hex digits that change when any character of any document does, the number of documents)."""
    count, state = 0, hashlib.sha256()
    for document in corpus.documents():
        state.update(hashlib.sha256(document.encode("utf-8", "surrogatepass")).digest())
        count += 1
    return state.hexdigest()[:16], count
