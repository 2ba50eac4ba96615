"""Tokenizers: bytes, trained on the corpus, or ready-made. All are fast ones, and once saved need no network."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from tl_search.errors.limits import between
from tl_search.store.keys import digest
from tl_search.text.paths import local

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

END_OF_TEXT = "<|endoftext|>"
# How documents become tokens and how tokenizers are identified. A run keeps the rules that it was started with: 1 for
# those whose record names none.
RULES = 2


class TokenizerConfig(Protocol):
    """Settings of a tokenizer, whose end-of-text token separates documents."""

    def build(self, documents: Iterable[str]) -> "PreTrainedTokenizerFast":
        """The tokenizer; `documents` is the corpus, for one that is trained."""


@dataclass(frozen=True)
class ByteTokenizer:
    """Every byte of UTF-8 is a token, and one more ends a text: a vocabulary of 257 that fits any language."""

    def build(self, documents: Iterable[str] = ()) -> "PreTrainedTokenizerFast":
        from tokenizers import Tokenizer, models
        from transformers.convert_slow_tokenizer import bytes_to_unicode

        model = models.BPE(vocab={letter: byte for byte, letter in bytes_to_unicode().items()}, merges=[])
        # without a word pattern a document is one word: the same tokens, since nothing is merged, six times as fast
        return _finish(Tokenizer(model), word_pattern=False)


@dataclass(frozen=True)
class TrainedTokenizer:
    """Byte-level BPE trained on the corpus itself.

    Args:
        vocab_size: Tokens, with the 256 bytes and the end-of-text token; >= 258.
        min_frequency: How often a pair must occur to become a token.
    """

    vocab_size: int = 8192
    min_frequency: int = 2

    DECIDES: ClassVar = {"weights": "vocab_size min_frequency"}

    def __post_init__(self) -> None:
        between(258, 10**7, vocab_size=self.vocab_size)
        between(1, 10**9, min_frequency=self.min_frequency)

    def build(self, documents: Iterable[str]) -> "PreTrainedTokenizerFast":
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocab_size - 1,
            min_frequency=self.min_frequency,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(documents, trainer)
        return _finish(tokenizer, word_pattern=True)


@dataclass(frozen=True)
class PretrainedTokenizer:
    """A ready-made tokenizer from a folder or the Hub.

    Args:
        name: `owner/name`, or a folder, which is made absolute.
        revision: Commit, tag or branch.
    """

    name: str
    revision: str | None = None

    DECIDES: ClassVar = {"weights": "name revision"}

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", local(self.name))

    @property
    def remote(self) -> str | None:
        """What is fetched from the Hub; None for a folder."""
        return None if Path(self.name).exists() else self.name

    def build(self, documents: Iterable[str] = ()) -> "PreTrainedTokenizerFast":
        from tl_search.runs.pretrained import load_tokenizer

        try:
            tokenizer = load_tokenizer(self.name, revision=self.revision or "main")
        except (KeyError, TypeError, AttributeError, RecursionError) as error:  # a file of it has the wrong shape
            why = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(
                f"tokenizer.name: must be a tokenizer that loads, got {self.name!r}, which does not ({why})"
            ) from error
        if not tokenizer.is_fast:
            raise ValueError(f"tokenizer.name: must be a fast tokenizer (with tokenizer.json), got {self.name!r}")
        if tokenizer.eos_token_id is None:
            raise ValueError(f"tokenizer.name: must have an end-of-text token to separate documents, got {self.name!r}")
        return cast("PreTrainedTokenizerFast", tokenizer)


def rows(tokenizer: "PreTrainedTokenizerBase") -> int:
    """Rows that an embedding needs: the last token id + 1, since a ready-made vocabulary may have gaps."""
    return max(tokenizer.get_vocab().values()) + 1


def encoder_of(tokenizer: "PreTrainedTokenizerFast") -> "Tokenizer":
    """What turns the text of documents into ids: none is cut short or padded, and none can contain special tokens."""
    from tokenizers import Tokenizer

    encoder = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    encoder.encode_special_tokens = True  # a document that contains the text <|endoftext|> does not end there
    encoder.no_truncation()
    encoder.no_padding()
    return encoder


def digest_of(tokenizer: "PreTrainedTokenizerFast", rules: int = RULES) -> str:
    """Digest of everything that decides which tokens documents become, the token that ends them included."""
    if rules == 1:
        return digest(tokenizer.backend_tokenizer.to_str())
    special = {name: str(token) for name, token in tokenizer.special_tokens_map.items()}
    return digest([encoder_of(tokenizer).to_str(), tokenizer.eos_token_id, special])


def _finish(tokenizer: "Tokenizer", word_pattern: bool) -> "PreTrainedTokenizerFast":
    from tokenizers import decoders, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=word_pattern)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_OF_TEXT])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        clean_up_tokenization_spaces=False,
    )
