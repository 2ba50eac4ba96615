"""What peptide sequencing is trained and evaluated on: settings, and the spectra once they are made or read."""

import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from tl_search.errors.limits import between
from tl_search.training.peptide.form import SpectrumForm
from tl_search.training.peptide.pyteomics import part
from tl_search.training.peptide.spectrum import Spectrum
from tl_search.training.tokens import digest_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

log = logging.getLogger(__name__)

MOST_WORKERS = 256  # processes


class Source(Protocol):
    """Undisturbed training spectra."""

    @property
    def count(self) -> int:
        """Spectra in an epoch."""

    def check(self, form: SpectrumForm) -> None:
        """Raises ValueError, which names a data parameter, when there is no spectrum of a form."""

    def spectrum(self, form: SpectrumForm, seed: int, epoch: int, number: int) -> Spectrum:
        """The spectrum of a number from 0 to `count`, with a peptide that is not too long: a function of all four."""


@dataclass(frozen=True)
class PackedSpectra:
    """Spectra to train on and to evaluate on.

    Args:
        source: Training spectra.
        sets: Name → spectra that are evaluated, the same at every step.
        held_out: The names of those sets that give the eval loss.
        tokenizer: The vocabulary.
        corpus_digest: Digest of everything that decides the spectra.
        told: Sentences on what was read.
        warned: Sentences on what was left out.
    """

    source: Source
    sets: Mapping[str, tuple[Spectrum, ...]]
    held_out: tuple[str, ...]
    tokenizer: "PreTrainedTokenizerFast"
    corpus_digest: str
    told: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()

    @property
    def identity(self) -> dict[str, str]:
        return {"corpus": self.corpus_digest, "tokenizer": digest_of(self.tokenizer)}

    def tell(self) -> None:
        for sentence in self.told:
            log.info("%s", sentence)
        for sentence in self.warned:
            warnings.warn(sentence, stacklevel=2)


@dataclass(frozen=True, kw_only=True)
class SpectrumData(ABC):
    """Settings that all data of spectra share.

    Args:
        max_peaks: Of a spectrum, at most so many of the highest peaks are read.
        batch_size: Spectra in a batch; with accumulated gradients a step has several batches.
        drop_last: As for text: whether an epoch leaves out its last spectra when they do not fill a whole step.
        workers: Processes that prepare batches; 0 prepares them in the training process.
    """

    max_peaks: int = 100
    batch_size: int = 32
    drop_last: bool = True
    workers: int = 0

    DECIDES: ClassVar[Mapping[str, str]] = {"weights": "max_peaks batch_size drop_last", "free": "workers"}
    TASK: ClassVar = "peptide"

    def __post_init__(self) -> None:
        between(1, 10**6, max_peaks=self.max_peaks, batch_size=self.batch_size)
        if not 0 <= self.workers <= MOST_WORKERS:
            raise ValueError(f"workers: must be from 0 to {MOST_WORKERS}, got {self.workers}")

    remote: ClassVar[str | None] = None  # nothing is downloaded

    def check(self) -> None:
        """Quickly look for mistakes, without making or reading spectra. Raises ValueError."""
        part("mass")

    @property
    @abstractmethod
    def holds_out(self) -> bool:
        """Whether there are spectra for the eval loss."""

    @property
    def shortest(self) -> int:
        """Fewest residues of a peptide."""
        return 1

    def longest(self, context: int) -> int:
        """Most residues of a peptide, for a model that takes so many tokens. Raises ValueError where there is none."""
        return context - 1

    @abstractmethod
    def fingerprint(self, recorded: Mapping[str, str]) -> str:
        """A digest of everything that decides the spectra, beside the vocabulary and the model."""

    @abstractmethod
    def pack(self, tokenizer: Any, cache: Path, recorded: Mapping[str, str] | None, context: int) -> PackedSpectra:
        """The spectra; arguments are as for text, and the tokenizer is a `Residues`. Raises ValueError."""

    @abstractmethod
    def excerpt(self, tokens: int, batches: int, evaluates: bool) -> Self:
        """A few spectra, for a run that is only tried; arguments are as for text."""
