"""Data of synthetic peptides: as many as wanted, and two fixed validation sets, a clean and a noisy one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from tl_search.errors.limits import between
from tl_search.errors.nearest import did_you_mean
from tl_search.store.keys import digest
from tl_search.text.paths import absolute
from tl_search.training.ordered import stream
from tl_search.training.peptide.data import PackedSpectra, SpectrumData
from tl_search.training.peptide.form import SpectrumForm
from tl_search.training.peptide.fragments import Ion, Loss
from tl_search.training.peptide.reading import check_path, read_spectra
from tl_search.training.peptide.residues import Residues
from tl_search.training.peptide.spectrum import Spectrum
from tl_search.training.peptide.synthetic import Generator, key_of

_RULES = 1  # raised when the same settings come to give other spectra


@dataclass(frozen=True)
class GeneratedSource:
    """Training spectra that are drawn anew for every epoch, of peptides that no validation set has."""

    generator: Generator
    count: int
    but: frozenset[bytes]

    def check(self, form: SpectrumForm) -> None:
        """Any form has spectra."""

    def spectrum(self, form: SpectrumForm, seed: int, epoch: int, number: int) -> Spectrum:
        peptide = self.generator.peptide(stream(seed, "peptide", epoch, number), form.max_length, self.but)
        return self.generator.spectrum(peptide, stream(seed, "spectrum", epoch, number))


@dataclass(frozen=True, kw_only=True)
class SyntheticSpectra(SpectrumData):
    """Spectra of random peptides.

    The validation sets `clean` and `noisy` have the same peptides and differ in `noisy` alone. They depend on
    `validation_seed`, not on the run's seed, so runs of all seeds are measured on the same spectra. The eval loss is
    that of both sets together.

    Args:
        spectra: Spectra in an epoch; each epoch has new ones.
        min_length: Fewest residues of a peptide.
        max_length: Most residues of a peptide, in the validation sets and where a stage sets no other.
        ions: Series of fragments.
        losses: Neutral losses, of b and y ions.
        validation_spectra: Spectra in each validation set; 0 measures nothing.
        validation_seed: Random seed of the validation sets.
        noisy: How the spectra of the noisy set are disturbed: data parameters as a stage sets them.
        annotated: Annotated spectra (MGF or mzML) that are evaluated too, as `annotated`; None for none.
    """

    spectra: int = 20_000
    min_length: int = 6
    max_length: int = 18
    ions: tuple[Ion, ...] = (Ion.b, Ion.y, Ion.b2, Ion.y2)
    losses: tuple[Loss, ...] = ()
    validation_spectra: int = 128
    validation_seed: int = 0
    noisy: Mapping[str, Any] = field(
        default_factory=lambda: {"noise_peaks": 10, "peak_dropout": 0.15, "mass_error_ppm": 15}
    )
    annotated: str | None = None

    DECIDES: ClassVar[Mapping[str, str]] = {
        **SpectrumData.DECIDES,
        "weights": f"{SpectrumData.DECIDES['weights']} spectra min_length max_length ions losses validation_spectra "
        "validation_seed noisy",
        "files": "annotated",
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("ions", "losses"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.annotated is not None:
            object.__setattr__(self, "annotated", absolute(self.annotated))
        between(1, 10**9, spectra=self.spectra)
        between(2, 1000, min_length=self.min_length, max_length=self.max_length)  # a single residue has no fragments
        between(0, 10**6, validation_spectra=self.validation_spectra)
        between(0, 2**63, validation_seed=self.validation_seed)
        if self.max_length < self.min_length:
            raise ValueError(f"max_length: must be at least min_length {self.min_length}, got {self.max_length}")
        if not self.ions or len({*self.ions}) < len(self.ions):
            raise ValueError(f"ions: must be different ones, at least one, got {[ion.value for ion in self.ions]}")
        known = [name for name in SpectrumForm.__dataclass_fields__ if name not in ("max_length", "clean_share")]
        for name in self.noisy:
            if name not in known:
                raise ValueError(
                    f"noisy: must name some of {', '.join(known)}, got {name!r}{did_you_mean(name, known)}"
                )
        try:
            SpectrumForm.of(self.noisy, self.max_length, self.min_length)
        except ValueError as error:
            raise ValueError(f"noisy.{error}") from error

    def check(self) -> None:
        super().check()
        if self.annotated is not None:
            check_path(self.annotated, "annotated")

    @property
    def holds_out(self) -> bool:
        return self.validation_spectra > 0

    @property
    def shortest(self) -> int:
        return self.min_length

    def longest(self, context: int) -> int:
        if self.max_length > context - 1:
            raise ValueError(
                f"data.max_length: must be below model.context, {context}, which also counts the end, got "
                f"{self.max_length}"
            )
        return self.max_length

    def fingerprint(self, recorded: Mapping[str, str]) -> str:
        drawn = [self.spectra, self.min_length, self.max_length, self.validation_spectra, self.validation_seed]
        names = [[part.value for part in parts] for parts in (self.ions, self.losses)]
        return digest([_RULES, drawn, names, dict(self.noisy), self.max_peaks], 16)

    def generator(self, residues: Residues) -> Generator:
        """What draws the peptides."""
        return Generator(residues, self.ions, self.losses, self.min_length)

    def pack(self, tokenizer: Any, cache: Path, recorded: Mapping[str, str] | None, context: int) -> PackedSpectra:
        generator, seed = self.generator(tokenizer), self.validation_seed
        peptides: dict[bytes, Spectrum] = {}
        noisy = SpectrumForm.of(self.noisy, self.max_length, self.min_length)
        for number in range(self.validation_spectra):
            peptide = generator.peptide(stream(seed, "validation", number), self.max_length, {*peptides})
            peptides[key_of(peptide)] = generator.spectrum(peptide, stream(seed, "validation spectrum", number))
        sets = {
            name: tuple(
                form.disturbed(spectrum, stream(seed, "validation noise", number), self.max_peaks)
                for number, spectrum in enumerate(peptides.values())
            )
            for name, form in (("clean", noisy.clean), ("noisy", noisy))
        }
        read = None if self.annotated is None else read_spectra(self.annotated, tokenizer, context - 1, self.max_peaks)
        return PackedSpectra(
            GeneratedSource(generator, self.spectra, frozenset(peptides)),
            {**sets, **({} if read is None else {"annotated": read.spectra})},
            ("clean", "noisy"),
            tokenizer.build(),
            self.fingerprint({}),
            (f"spectra: {self.spectra:,} new ones in every epoch; {len(peptides)} in each validation set",),
            () if read is None else read.sentences("data.annotated"),
        )

    def excerpt(self, tokens: int, batches: int, evaluates: bool) -> Self:
        most = min(self.validation_spectra, batches * self.batch_size) if evaluates else 0
        return replace(self, validation_spectra=most, annotated=None)
