"""Data of real spectra: annotated files, of which some peptides are held out."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from tl_search.errors.limits import between
from tl_search.store.keys import digest
from tl_search.text.paths import absolute
from tl_search.training.peptide.data import PackedSpectra, SpectrumData
from tl_search.training.peptide.form import SpectrumForm
from tl_search.training.peptide.reading import check_path, file_digest, read_spectra
from tl_search.training.peptide.spectrum import Spectrum
from tl_search.training.peptide.synthetic import key_of

_PARTS = 10_000  # into which peptides fall at random


@dataclass(frozen=True)
class AnnotatedSource:
    """Training spectra of files, which are the same in every epoch.

    Args:
        spectra: Undisturbed, the shortest peptides first.
    """

    spectra: tuple[Spectrum, ...]

    @property
    def count(self) -> int:
        return len(self.spectra)

    @cached_property
    def lengths(self) -> list[int]:
        return [len(one.peptide) for one in self.spectra]

    def check(self, form: SpectrumForm) -> None:
        form.check(max(form.max_length, self.lengths[-1]), self.lengths[0])

    def spectrum(self, form: SpectrumForm, seed: int, epoch: int, number: int) -> Spectrum:
        """The spectrum of the number; in the place of one whose peptide is too long, one that is short enough."""
        return self.spectra[number % bisect_right(self.lengths, form.max_length)]


@dataclass(frozen=True, kw_only=True)
class AnnotatedSpectra(SpectrumData):
    """Spectra of MGF or mzML files with the peptide that each shows.

    Args:
        path: A file, a folder or a pattern such as `spectra/*.mgf`; it is made absolute.
        validation_spectra: At most so many of the spectra that are held out are measured.
        validation_share: Share of the peptides that are held out, with all their spectra, 0 to below 1; 0 measures no
            eval loss.
    """

    path: str
    validation_share: float = 0.2
    validation_spectra: int = 512

    DECIDES: ClassVar[Mapping[str, str]] = {
        **SpectrumData.DECIDES,
        "weights": f"{SpectrumData.DECIDES['weights']} path validation_share validation_spectra",
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "path", absolute(self.path))
        between(1, 10**6, validation_spectra=self.validation_spectra)
        if not 0 <= self.validation_share < 1:
            raise ValueError(f"validation_share: must be at least 0 and below 1, got {self.validation_share}")

    def check(self) -> None:
        super().check()
        check_path(self.path, "path")

    @property
    def holds_out(self) -> bool:
        return self.validation_share > 0

    def fingerprint(self, recorded: Mapping[str, str]) -> str:
        return file_digest(self.path)

    def pack(self, tokenizer: Any, cache: Path, recorded: Mapping[str, str] | None, context: int) -> PackedSpectra:
        read = read_spectra(self.path, tokenizer, context - 1, self.max_peaks)
        held = [one for one in read.spectra if _is_held_out(one, self.validation_share)]
        train = [one for one in read.spectra if not _is_held_out(one, self.validation_share)]
        if not train or (self.holds_out and not held):
            raise ValueError(
                f"data.validation_share: must leave peptides to train on and hold one out, got {self.validation_share} "
                f"({len(train)} spectra to train on, {len(held)} held out)"
            )
        return PackedSpectra(
            AnnotatedSource(tuple(sorted(train, key=lambda one: len(one.peptide)))),
            {"held_out": tuple(held[:: -(-len(held) // self.validation_spectra)])} if held else {},
            ("held_out",),
            tokenizer.build(),
            self.fingerprint({}),
            (f"spectra: {len(train):,} to train on; {len(held):,} of other peptides are held out",),
            read.sentences("data.path"),
        )

    def excerpt(self, tokens: int, batches: int, evaluates: bool) -> Self:
        most = min(self.validation_spectra, batches * self.batch_size)
        return replace(self, validation_share=self.validation_share if evaluates else 0.0, validation_spectra=most)


def _is_held_out(spectrum: Spectrum, share: float) -> bool:
    """Decided by the peptide alone, so that other files in a folder change nothing for those that stay."""
    return int(digest(key_of(spectrum.peptide).hex(), 15), 16) % _PARTS < share * _PARTS
