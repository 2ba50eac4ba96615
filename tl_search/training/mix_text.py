"""A corpus with several sources as tokens: each source is packed by itself, with one tokenizer for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tl_search.store.keys import digest
from tl_search.text.corpus import Reading
from tl_search.text.mix import Mix, of_source
from tl_search.training.packed_text import PackedText
from tl_search.training.packing import Known, known, packed, tokenizer_for
from tl_search.training.tokens import RULES, TokenizerConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class PackedMix:
    """The tokens of several sources.

    Args:
        parts: Name of a source → its tokens.
        corpus_digest: Digest of the texts of all sources and of their names.
    """

    parts: Mapping[str, PackedText]
    corpus_digest: str

    @property
    def tokenizer(self) -> "PreTrainedTokenizerFast":
        return next(iter(self.parts.values())).tokenizer

    @property
    def train(self) -> tuple[np.ndarray, ...]:
        """Tokens of each source, (token,)."""
        return tuple(part.train for part in self.parts.values())

    @property
    def validation(self) -> tuple[np.ndarray, ...]:
        """Tokens of the held-out documents of each source, (token,)."""
        return tuple(part.validation for part in self.parts.values())

    @property
    def identity(self) -> dict[str, str]:
        """What a run's record says of its text (`RunRecord.data`)."""
        return {**next(iter(self.parts.values())).identity, "corpus": self.corpus_digest}

    def tell(self) -> None:
        """Say how the text of each source was divided, and warn of what may be wrong with it."""
        for name, part in self.parts.items():
            with of_source(name):
                part.tell(f"text of {name}")


def mix_digest(corpus: Mix, rules: int = RULES) -> str:
    """A digest that changes when any character of any source does, or the name of a source."""
    return _digest({name: known(source, rules) for name, source in corpus.sources.items()})


def _digest(found: Mapping[str, Known]) -> str:
    return digest({name: source.digest for name, source in found.items()})


def pack_mix(
    corpus: Mix, config: TokenizerConfig, validation_share: float, cache: Path, rules: int = RULES, least: int = 0
) -> PackedMix:
    """The packed sources; arguments are as in `packing.pack`. Each source holds out its share of its own documents.

    Tokens of a source are kept in the cache by themselves, so that other mixes with the same tokenizer share them.
    """
    found: dict[str, Known] = {}
    for name, source in corpus.sources.items():
        with of_source(name):
            found[name] = known(source, rules)
    whole = _digest(found)
    tokenizer = tokenizer_for(Reading(corpus, rules), whole, config, cache)
    parts = {}
    for name, text in found.items():
        with of_source(name):
            parts[name] = packed(text, tokenizer, validation_share, cache, least)
    return PackedMix(parts, whole)
