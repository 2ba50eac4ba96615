"""The peptide that a file's annotation names, in ProForma, as tokens of a vocabulary."""

import re

import numpy as np

from tl_search.training.peptide.pyteomics import part
from tl_search.training.peptide.residues import Residues

_CLOSE = 0.01  # Da: a modification that is given by its mass is the known one of this mass


class NotKnown(Exception):  # noqa: N818  # it ends no run: the spectrum is left out
    """Why a spectrum cannot be used, in words that complete "a spectrum with …"."""


class Reader:
    """Reads annotations such as `[Acetyl]-M[Oxidation]AK` or `C[+57.021]AK/2`, of which the charge is not used."""

    def __init__(self, residues: Residues) -> None:
        self.ids = {token: number for number, token in enumerate(residues.tokens())}
        self.masses = residues.masses()

    def tokens(self, written: str) -> np.ndarray:
        """Token ids (residue,). Raises NotKnown."""
        try:
            sequence, more = part("proforma").parse(written.strip())
        except (part("auxiliary").PyteomicsError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise NotKnown("a peptide that cannot be read") from error
        if other := sorted(key for key, value in more.items() if value and key not in ("n_term", "charge_state")):
            raise NotKnown(f"a peptide with {other[0].replace('_', ' ')}")
        names = [f"[{tag}]-" for tag in more.get("n_term") or ()]
        names += [letter + "".join(f"[{tag}]" for tag in tags or ()) for letter, tags in sequence]
        if not sequence:
            raise NotKnown("a peptide that cannot be read")
        return np.array([self._token(name) for name in names])

    def _token(self, name: str) -> int:
        found = self.ids.get(name) or self._by_mass(name)
        if found is None:
            raise NotKnown(f"the unknown {'modification' if '[' in name else 'residue'} {name}")
        return found

    def _by_mass(self, name: str) -> int | None:
        """The token of a residue whose modification is given by its mass, such as `C[+57.021]`."""
        given = re.fullmatch(r"([A-Z]?)\[([+-]\d+(?:\.\d+)?)\](-?)", name)
        if given is None or (given[1] and given[1] not in self.ids):
            return None
        wanted = float(given[2]) + (self.masses[self.ids[given[1]]] if given[1] else 0.0)
        kind = given[1] + "["
        for token, number in self.ids.items():
            alike = token.startswith(kind) and token.endswith("-") == bool(given[3])
            if alike and abs(self.masses[number] - wanted) < _CLOSE:
                return number
        return None
