"""A corpus as tokens in memory-mapped files, and what is known of it; `packing` makes it."""

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tl_search.training.tokens import RULES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PackedText:
    """Documents one after the other, each followed by the end-of-text token.

    Args:
        train: Tokens (token,), uint16 or uint32, memory-mapped.
        validation: Tokens of the held-out documents, likewise; may be empty.
        tokenizer_digest: Digest of everything that decides which tokens a text becomes.
        rules: The rules (`tokens.RULES`) by which the text was packed.
        facts: How many documents hold text (`documents`) or none (`empty`); how many of the held-out ones
            (`held_out`) are also in the training text (`alike`), or gave only their ends (`cut`).
    """

    train: np.ndarray
    validation: np.ndarray
    tokenizer: "PreTrainedTokenizerFast"
    corpus_digest: str
    tokenizer_digest: str
    rules: int = RULES
    facts: Mapping[str, int] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, str]:
        """What a run's record says of its text (`RunRecord.data`)."""
        found = {"corpus": self.corpus_digest, "tokenizer": self.tokenizer_digest}
        if self.rules == 1:
            return found
        return {**found, "end_of_text": str(self.tokenizer.eos_token), "packing_rules": str(self.rules)}

    def tell(self, what: str = "text") -> None:
        """Say how the text was divided, and warn of what may be wrong with it; `what` names the text."""
        train, held_out, facts = len(self.train), len(self.validation), self.facts
        if not facts:  # packed by the first rules
            return
        share, ends = held_out / (train + held_out), f", {facts['cut']} of them with only their ends"
        log.info(
            "%s: %s tokens to train on; %s tokens (%.1f %%) of %s documents are held out%s",
            what, f"{train:,}", f"{held_out:,}", 100 * share, f"{facts['held_out']:,}", ends if facts["cut"] else "",
        )  # fmt: skip
        if facts["empty"]:
            warnings.warn(f"data.corpus: documents without text that were skipped: {facts['empty']}", stacklevel=2)
        if facts["alike"]:
            warnings.warn(
                f"data.corpus: held-out documents that are also in the training text: {facts['alike']} of "
                f"{facts['held_out']}; the eval loss is lower than on unseen text",
                stacklevel=2,
            )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as file names, which another process opens: a memory map would be pickled with all of its tokens."""
        files = tuple(str(getattr(row, "filename")) for row in (self.train, self.validation))  # noqa: B009
        return _reopened, (*files, self.tokenizer, self.corpus_digest, self.tokenizer_digest, self.rules, self.facts)


def _reopened(train: str, validation: str, *facts: Any) -> PackedText:
    return PackedText(mapped(Path(train)), mapped(Path(validation)), *facts)


def mapped(path: Path) -> np.ndarray:
    """A file of token ids, mapped into memory. Raises ValueError, which names it, if it holds anything else."""
    try:
        ids = np.load(path, mmap_mode="r")
    except Exception as error:  # numpy carries out what the header says, so it can be anything
        raise ValueError(f"{path}: damaged ({' '.join(str(error).split())[:200]}); remove {path.parent}") from error
    if not isinstance(ids, np.ndarray) or ids.ndim != 1 or ids.dtype.kind != "u":
        raise ValueError(f"{path}: damaged, holds no row of token ids; remove {path.parent}")
    return ids
