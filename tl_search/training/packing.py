"""A corpus as one long sequence of tokens in a memory-mapped file, made once for each corpus and tokenizer."""

import hashlib
import warnings
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tl_search.store.atomic import sweep_litter, write_dir
from tl_search.store.keys import digest
from tl_search.store.manifest import DamagedError, verify, write_manifest
from tl_search.text.corpus import Corpus, Reading, fingerprint
from tl_search.training.packed_text import PackedText, mapped
from tl_search.training.tokens import RULES, TokenizerConfig, digest_of, encoder_of, rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_IDLE = 24 * 3600.0  # seconds after which what is half written in the cache counts as left behind
_BATCH = 4_000_000  # characters that are tokenised at a time


def rules_of(recorded: Mapping[str, str] | None) -> int:
    """The rules by which a run's text was packed, from what its record says of it (`RunRecord.data`)."""
    return RULES if recorded is None else int(recorded.get("packing_rules", 1))


def pack(
    corpus: Corpus,
    config: TokenizerConfig,
    validation_share: float,
    cache: Path,
    rules: int = RULES,
    least: int = 0,
) -> PackedText:
    """The packed corpus, from the cache when the same text was packed with the same settings before.

    Held-out documents are spread evenly over the corpus, since the last of files sorted by name may all be of one
    kind. Where they hold more than twice their share of the tokens, the longest of them give only their ends, so that
    the share is kept. So does a corpus of one document.

    Args:
        validation_share: Share of the documents held out.
        cache: Folder for tokens and trained tokenizers, which several runs may share.
        rules: As in `PackedText`.
        least: Tokens that documents are not cut below.
    """
    found = known(corpus, rules)
    return packed(found, tokenizer_for(found.text, found.digest, config, cache), validation_share, cache, least)


@dataclass(frozen=True)
class Known:
    """A corpus that was read once, and what is known of it.

    Args:
        text: Its documents, of which one at least holds text.
        digest: Digest of the text.
        count: Number of documents that hold text.
        characters: In all of them.
    """

    text: Reading
    digest: str
    count: int
    characters: int


def known(corpus: Corpus, rules: int = RULES) -> Known:
    """Reads a corpus. Raises ValueError where it holds no text."""
    text = Reading(corpus, rules)
    corpus_digest, count = fingerprint(text)
    if not count:
        found = f"only empty documents ({text.empty})" if text.empty else "no document"
        raise ValueError(f"data.corpus: must hold text, got {found}")
    return Known(text, corpus_digest, count, text.characters)


def packed(
    corpus: Known, tokenizer: "PreTrainedTokenizerFast", validation_share: float, cache: Path, least: int = 0
) -> PackedText:
    """A corpus as the tokens of a tokenizer; the other arguments are as in `pack`."""
    text, rules = corpus.text, corpus.text.rules
    if validation_share * corpus.characters > 16 * least:
        least = 0  # so that runs that differ only in their context share their tokens
    tokenizer_digest = digest_of(tokenizer, rules)
    more = [least] if least else []
    folder = cache / "tokens" / digest([rules, corpus.digest, tokenizer_digest, validation_share, *more])
    for kept in ("tokens", "tokenizers"):
        if (cache / kept).is_dir():
            sweep_litter(cache / kept, _IDLE)  # of killed processes; others may be writing there now
    manifest = _whole(folder) or _write(folder, text, corpus.count, tokenizer, validation_share, least)
    arrays = {part: mapped(folder / f"{part}.npy") for part in ("train", "validation")}
    return PackedText(
        **arrays,
        tokenizer=tokenizer,
        corpus_digest=corpus.digest,
        tokenizer_digest=tokenizer_digest,
        rules=rules,
        facts={} if rules == 1 else {**manifest["text"], "empty": text.empty},
    )


def tokenizer_for(
    corpus: Reading, corpus_digest: str, config: TokenizerConfig, cache: Path
) -> "PreTrainedTokenizerFast":
    """The tokenizer of a corpus. A trained one is kept in the cache, since training takes minutes on a large corpus."""
    from tl_search.runs.pretrained import load_own_tokenizer
    from tl_search.training.tokens import TrainedTokenizer

    if not isinstance(config, TrainedTokenizer):
        return config.build(())
    folder = cache / "tokenizers" / digest([corpus_digest, config.vocab_size, config.min_frequency])
    if not _whole(folder):
        with write_dir(folder) as aside:
            config.build(corpus.documents()).save_pretrained(aside)
            write_manifest(aside)
    return load_own_tokenizer(folder)


def _whole(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder that is there and whole."""
    if not folder.exists():
        return None
    try:
        return verify(folder)
    except DamagedError as error:
        warnings.warn(f"{error}; it is made again", stacklevel=2)
        return None


def _write(
    folder: Path, text: Reading, count: int, tokenizer: "PreTrainedTokenizerFast", share: float, least: int
) -> dict[str, Any]:
    dtype = np.uint16 if rows(tokenizer) <= 1 << 16 else np.uint32
    hashes = array("Q")
    with write_dir(folder) as aside:
        with _row(aside / "train.npy", dtype) as train:
            held_out, total = [], 0  # the length of each held-out document; all tokens
            with _row(aside / "validation.npy", dtype) as validation:
                for number, tokens in enumerate(_encode(_hashed(text.documents(), hashes), tokenizer, dtype)):
                    total += len(tokens)
                    if _is_held_out(number, count, share):
                        held_out.append(len(tokens))
                        validation.write(tokens.data)
                    else:
                        train.write(tokens.data)
            most = _longest(np.array(held_out), total, count, share, least if text.rules > 1 else total)
            if most is not None:
                _keep_ends(aside / "validation.npy", train, held_out, most)
        facts = {"documents": count} | ({} if text.rules == 1 else {"text": {
            "documents": count,
            "held_out": len(held_out),
            "alike": _alike(np.array(hashes), np.array([_is_held_out(n, count, share) for n in range(count)])),
            "cut": 0 if most is None else sum(length > most for length in held_out),
        }})  # fmt: skip
        return write_manifest(aside, **facts)


def _hashed(documents: Iterable[str], hashes: "array[int]") -> Iterator[str]:
    for document in documents:
        content = hashlib.sha256(document.encode("utf-8", "surrogatepass"))
        hashes.append(int.from_bytes(content.digest()[:8], "big"))
        yield document


def _alike(hashes: np.ndarray, held_out: np.ndarray) -> int:
    """How many of the held-out documents are also in the training text."""
    return int(np.isin(hashes[held_out], hashes[~held_out]).sum())


def _longest(held_out: np.ndarray, total: int, count: int, share: float, least: int) -> int | None:
    """How many tokens a held-out document may keep; None where all may be held out as they are."""
    found, wanted = int(held_out.sum()), round(total * share)
    if count > 1:
        if found <= max(2 * wanted, least):
            return None
        wanted = max(wanted, least)
    return bisect_left(range(total), wanted, key=lambda most: int(np.minimum(held_out, most).sum()))


def _keep_ends(path: Path, train: BinaryIO, lengths: Sequence[int], most: int) -> None:
    """Leave only the last `most` tokens of each held-out document held out; the others are put into training."""
    whole, start = np.load(path, mmap_mode="r"), 0
    with _row(path.with_name("ends.npy"), whole.dtype) as ends:
        for length in lengths:
            middle, end = start + length - min(length, most), start + length
            train.write(whole[start:middle].data)
            ends.write(whole[middle:end].data)
            start = end
    path.with_name("ends.npy").replace(path)


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
def _row(path: Path, dtype: Any) -> Iterator[BinaryIO]:
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
