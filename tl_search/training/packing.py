"""A corpus as one long sequence of tokens in a memory-mapped file, made once for each corpus and tokenizer."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tl_search.store.atomic import write_dir
from tl_search.store.keys import digest
from tl_search.store.manifest import DamagedError, verify, write_manifest
from tl_search.text.corpus import Corpus, fingerprint
from tl_search.training.tokens import RULES, TokenizerConfig, digest_of, encoder_of, rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_BATCH = 4_000_000  # characters that are tokenised at a time


@dataclass(frozen=True)
class PackedText:
    """Documents one after the other, each followed by the end-of-text token.

    Args:
        train: Tokens (token,), uint16 or uint32, memory-mapped.
        validation: Tokens of the held-out documents, likewise; may be empty.
        tokenizer_digest: Digest of everything that decides which tokens a text becomes.
        rules: The rules (`tokens.RULES`) by which the text was packed.
    """

    train: np.ndarray
    validation: np.ndarray
    tokenizer: "PreTrainedTokenizerFast"
    corpus_digest: str
    tokenizer_digest: str
    rules: int = RULES

    @property
    def identity(self) -> dict[str, str]:
        """What a run's record says of its text (`RunRecord.data`)."""
        found = {"corpus": self.corpus_digest, "tokenizer": self.tokenizer_digest}
        if self.rules == 1:
            return found
        return {**found, "end_of_text": str(self.tokenizer.eos_token), "packing_rules": str(self.rules)}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as file names, which another process opens: a memory map would be pickled with all of its tokens."""
        files = tuple(str(getattr(row, "filename")) for row in (self.train, self.validation))  # noqa: B009
        return _reopened, (*files, self.tokenizer, self.corpus_digest, self.tokenizer_digest, self.rules)


def _reopened(train: str, validation: str, *facts: Any) -> PackedText:
    return PackedText(np.load(train, mmap_mode="r"), np.load(validation, mmap_mode="r"), *facts)


def rules_of(recorded: Mapping[str, str] | None) -> int:
    """The rules by which a run's text was packed, from what its record says of it (`RunRecord.data`)."""
    return RULES if recorded is None else int(recorded.get("packing_rules", 1))


def pack(
    corpus: Corpus, config: TokenizerConfig, validation_share: float, cache: Path, rules: int = RULES
) -> PackedText:
    """The packed corpus, from the cache when the same text was packed with the same settings before.

    Held-out documents are spread evenly over the corpus, since the last of files sorted by name may all be of one
    kind. Of a corpus of one document, its last tokens are held out.

    Args:
        validation_share: Share of the documents held out.
        cache: Folder for tokens and trained tokenizers, which several runs may share.
        rules: As in `PackedText`.
    """
    corpus_digest, count = fingerprint(corpus)
    if not count:
        raise ValueError("data.corpus: must hold text, got no document")
    tokenizer = _tokenizer(corpus, corpus_digest, config, cache)
    tokenizer_digest = digest_of(tokenizer, rules)
    folder = cache / "tokens" / digest([rules, corpus_digest, tokenizer_digest, validation_share])
    if not _is_whole(folder):
        _write(folder, corpus, count, tokenizer, validation_share)
    arrays = {part: np.load(folder / f"{part}.npy", mmap_mode="r") for part in ("train", "validation")}
    return PackedText(
        **arrays, tokenizer=tokenizer, corpus_digest=corpus_digest, tokenizer_digest=tokenizer_digest, rules=rules
    )


def _tokenizer(corpus: Corpus, corpus_digest: str, config: TokenizerConfig, cache: Path) -> "PreTrainedTokenizerFast":
    """A trained tokenizer is kept in the cache, since training takes minutes on a large corpus."""
    from transformers import PreTrainedTokenizerFast

    from tl_search.training.tokens import TrainedTokenizer

    if not isinstance(config, TrainedTokenizer):
        return config.build(())
    folder = cache / "tokenizers" / digest([corpus_digest, config.vocab_size, config.min_frequency])
    if not _is_whole(folder):
        with write_dir(folder) as aside:
            config.build(corpus.documents()).save_pretrained(aside)
            write_manifest(aside)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def _is_whole(folder: Path) -> bool:
    if not folder.exists():
        return False
    try:
        verify(folder)
    except DamagedError as error:
        warnings.warn(f"{error}; it is made again", stacklevel=2)
        return False
    return True


def _write(
    folder: Path, corpus: Corpus, count: int, tokenizer: "PreTrainedTokenizerFast", validation_share: float
) -> None:
    dtype = np.uint16 if rows(tokenizer) <= 1 << 16 else np.uint32
    with write_dir(folder) as aside:
        with _row(aside / "train.npy", dtype) as train, _row(aside / "validation.npy", dtype) as validation:
            for number, tokens in enumerate(_encode(corpus.documents(), tokenizer, dtype)):
                if count == 1:
                    held_out = round(len(tokens) * validation_share)
                    train.write(tokens[: len(tokens) - held_out].data)
                    validation.write(tokens[len(tokens) - held_out :].data)
                else:
                    (validation if _is_held_out(number, count, validation_share) else train).write(tokens.data)
        write_manifest(aside, documents=count)


def _is_held_out(number: int, count: int, share: float) -> bool:
    """Whether a document is held out: every 1/share-th one is; of few documents at least the last one is."""
    share = max(share, 1 / count) if share > 0 else 0.0
    return int((number + 1) * share + 1e-9) > int(number * share + 1e-9)


def _encode(documents: Iterable[str], tokenizer: "PreTrainedTokenizerFast", dtype: type) -> Iterator[np.ndarray]:
    encoder = encoder_of(tokenizer)
    for batch in _batches(documents):
        for encoding in encoder.encode_batch_fast(batch, add_special_tokens=False):
            yield np.array([*encoding.ids, tokenizer.eos_token_id], dtype=dtype)


def _batches(documents: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if size > _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@contextmanager
def _row(path: Path, dtype: type) -> Iterator[BinaryIO]:
    """An .npy file that is written bit by bit; its length is put into the header at the end."""

    def put_header(length: int) -> None:
        description = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (length,)}
        file.seek(0)
        np.lib.format.write_array_header_1_0(file, description)

    with path.open("wb") as file:
        put_header(0)
        start = file.tell()
        yield file
        put_header((file.tell() - start) // np.dtype(dtype).itemsize)
