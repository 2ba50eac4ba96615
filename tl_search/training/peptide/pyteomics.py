"""The door to pyteomics, the field's library for masses and files of spectra; an extra that only this task needs."""

from functools import lru_cache
from types import ModuleType

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"


def part(name: str) -> ModuleType:
    """A module of pyteomics. Raises ValueError where it, or what it needs to read mzML, is not installed."""
    from importlib import import_module

    try:
        for needed in ("lxml", "psims") if name == "mzml" else ():
            import_module(needed)
        return import_module(f"pyteomics.{name}")
    except ModuleNotFoundError as error:
        raise ValueError(f"data: needs {error.name}, which pip install tl-search[peptide] installs") from error


@lru_cache
def residue_masses() -> dict[str, float]:
    """Monoisotopic masses of the 20 amino acids within a peptide, in Da."""
    known = part("mass").std_aa_mass
    return {letter: float(known[letter]) for letter in AMINO_ACIDS}


@lru_cache
def composition_mass(formula: str) -> float:
    """Monoisotopic mass of a formula such as `H2O`, in Da."""
    return float(part("mass").calculate_mass(formula=formula))
