"""Reads annotated spectra from MGF and mzML files; what cannot be used is counted, named and left out."""

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tl_search.training.peptide.annotation import NotKnown, Reader
from tl_search.training.peptide.fragments import neutral_mass
from tl_search.training.peptide.pyteomics import part
from tl_search.training.peptide.residues import Residues
from tl_search.training.peptide.spectrum import Spectrum, cleaned

_SUFFIXES = (".mgf", ".mzml")
_NAMES = ("seq", "peptide sequence")  # what an annotation is called, in MGF and in mzML
_MOST_NAMED = 8  # reasons that a message lists


@dataclass(frozen=True)
class ReadSpectra:
    """What files hold.

    Args:
        spectra: Those that can be used, in the order of the files.
        skipped: Reason → how many others were left out for it.
    """

    spectra: tuple[Spectrum, ...]
    skipped: Mapping[str, int]

    def sentences(self, setting: str) -> tuple[str, ...]:
        """What was left out, in one sentence that begins with the setting; none where that is nothing."""
        if not self.skipped:
            return ()
        return (f"{setting}: spectra that were skipped: {_counts(self.skipped)}; {len(self.spectra)} are used",)


def check_path(path: str, setting: str) -> None:
    """Raises ValueError, which begins with the setting, when a path names no file of spectra."""
    found = _files(path)
    if not found:
        raise ValueError(f"{setting}: must name a file, a folder of files or a pattern that is there, got {path!r}")
    if other := [file for file in found if file.suffix.lower() not in _SUFFIXES]:
        raise ValueError(f"{setting}: must name files that end in .mgf or .mzML, got {other[0]}")
    if any(file.suffix.lower() == ".mzml" for file in found):
        part("mzml")


def file_digest(path: str) -> str:
    """16 hex digits that change when any byte of the files does."""
    state = hashlib.sha256()
    for file in _files(path):
        with file.open("rb") as stream:
            state.update(hashlib.file_digest(stream, "sha256").digest())
    return state.hexdigest()[:16]


def read_spectra(path: str, residues: Residues, longest: int, max_peaks: int) -> ReadSpectra:
    """All annotated spectra of a file, of a folder or of the files that fit a pattern.

    Args:
        longest: Peptides with more residues are left out.
        max_peaks: The highest peaks of a spectrum that are kept.

    Raises:
        ValueError: nothing is left, or a file cannot be opened.
    """
    kept, skipped, reader = [], Counter[str](), Reader(residues)
    for file in _files(path):
        try:
            for entry in _entries(file):
                try:
                    kept.append(_spectrum(entry, reader, longest, max_peaks))
                except NotKnown as reason:
                    skipped[str(reason)] += 1
        except OSError as error:
            raise ValueError(f"data: {file} cannot be read ({error.strerror or error})") from error
    if not kept:
        told = f"; skipped: {_counts(skipped)}" if skipped else ", since there is none"
        raise ValueError(f"data: {path} must hold a spectrum whose peptide can be used{told}")
    return ReadSpectra(tuple(kept), dict(skipped))


def _counts(skipped: Mapping[str, int]) -> str:
    found = Counter(skipped).most_common()
    more = sum(count for _, count in found[_MOST_NAMED:])
    named = [f"{count} with {reason}" for reason, count in found[:_MOST_NAMED]]
    return ", ".join([*named, *([f"{more} for other reasons"] if more else [])])


def _files(path: str) -> list[Path]:
    place = Path(path)
    if place.is_file():
        return [place]
    if place.is_dir():
        return sorted(file for file in place.iterdir() if file.suffix.lower() in _SUFFIXES)
    return sorted(file for file in Path(place.anchor).glob(path.removeprefix(place.anchor)) if file.is_file())


def _entries(file: Path) -> Iterator[Mapping[str, Any] | None]:
    """What pyteomics reads of each spectrum of several stages (MS2 and on); None for one that it cannot read."""
    if file.suffix.lower() == ".mgf":
        for block in _blocks(file):
            try:
                yield next(iter(part("mgf").MGF(io.StringIO(block), convert_arrays=1, read_charges=False)))
            except (part("auxiliary").PyteomicsError, ValueError, KeyError, IndexError, StopIteration):
                yield None
        return
    from lxml.etree import XMLSyntaxError

    with part("mzml").MzML(str(file), use_index=False) as spectra:
        entries = iter(spectra)
        while True:
            try:
                entry = next(entries)
            except StopIteration:
                return
            except (XMLSyntaxError, part("auxiliary").PyteomicsError, ValueError, KeyError):
                yield None  # nothing behind a break in the file can be found
                return
            if entry.get("ms level", 2) > 1:
                yield _like_mgf(entry)


def _blocks(file: Path) -> Iterator[str]:
    """The text of each spectrum of an MGF file, so that one that is damaged does not take the others with it."""
    lines: list[str] = []
    with file.open(encoding="utf-8", errors="replace") as text:
        for line in text:
            if line.strip() == "BEGIN IONS" and lines:
                yield "".join(lines)  # without its end, which the reader refuses
                lines = []
            if lines or line.strip() == "BEGIN IONS":
                lines.append(line)
            if line.strip() == "END IONS" and lines:
                yield "".join(lines)
                lines = []
    if lines:
        yield "".join(lines)


def _like_mgf(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """A spectrum of mzML in the form in which pyteomics gives one of MGF."""
    try:
        ion = entry["precursorList"]["precursor"][0]["selectedIonList"]["selectedIon"][0]
    except (KeyError, IndexError):
        ion = {}
    charge = ion.get("charge state")
    params = {
        **{str(key).lower(): value for key, value in entry.items() if str(key).lower() in _NAMES},
        "pepmass": (ion.get("selected ion m/z"), None),
        "charge": [charge] if charge else [],
    }
    return {"params": params, **{key: entry.get(key, np.array([])) for key in ("m/z array", "intensity array")}}


def _spectrum(entry: Mapping[str, Any] | None, reader: Reader, longest: int, max_peaks: int) -> Spectrum:
    """The spectrum of an entry. Raises NotKnown."""
    if entry is None:
        raise NotKnown("lines that cannot be read")
    params = entry["params"]
    written = next((str(params[name]) for name in _NAMES if params.get(name)), None)
    if written is None:
        raise NotKnown("no peptide (SEQ)")
    peptide = reader.tokens(written)
    if len(peptide) > longest:
        raise NotKnown(f"more than {longest} residues")
    charges = [int(charge) for charge in params.get("charge") or []]
    if len(charges) != 1 or charges[0] < 1:
        raise NotKnown("no positive charge, or several")
    mz = (params.get("pepmass") or (None,))[0]
    if mz is None or not np.isfinite(mz) or mz <= 0:
        raise NotKnown("no precursor m/z (PEPMASS)")
    places = np.asarray(entry["m/z array"], float)
    heights = np.asarray(entry["intensity array"], float)
    real = np.isfinite(places) & np.isfinite(heights) & (places > 0) & (heights > 0)
    if not real.any():
        raise NotKnown("no peaks")
    places, heights = cleaned(places[real], heights[real], max_peaks)
    return Spectrum(places, heights, float(neutral_mass(float(mz), charges[0])), charges[0], peptide)
