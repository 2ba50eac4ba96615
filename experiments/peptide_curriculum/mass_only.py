"""The best guesses that can be made from the precursor's mass alone, without a look at the peaks.

The baseline knows how the generator draws peptides: the length with equal chances, then every residue with equal
chances. So the chance of each next token, given the residues before it and the mass that is left, can be counted: it is
the share of peptides of the right mass that go on with it. No rule without peaks is right more often about single
tokens of such peptides. On real spectra, whose peptides are not drawn in this way, it is only a rule of thumb.
"""

import numpy as np

from tl_search.training.peptide.fragments import WATER
from tl_search.training.peptide.residues import END, UNKNOWN, Residues

_BIN, _NEAR = 0.005, 4  # Da; masses that are at most so many bins apart count as equal, 0.02 Da


class MassOnly:
    """Counts peptides by their mass.

    Args:
        residues: The vocabulary.
        min_length: Fewest residues of a peptide.
        max_length: Most residues.
    """

    def __init__(self, residues: Residues, min_length: int, max_length: int) -> None:
        self.masses, self.lengths = residues.masses(), range(min_length, max_length + 1)
        drawn = np.flatnonzero(~residues.first_only())[UNKNOWN + 1 :]
        bins = np.rint(self.masses[drawn] / _BIN).astype(int)
        # one token for each mass, since those of equal mass count as equal, and the share of residues that have it
        self.steps, first, counts = np.unique(bins, return_index=True, return_counts=True)
        self.tokens, self.shares = drawn[first], counts / len(drawn)
        size = max_length * int(bins.max()) + _NEAR + 1
        # of_mass[k][b]: chance that k residues have a mass of b bins
        self.of_mass = np.zeros((max_length + 1, size), np.float32)
        self.of_mass[0, 0] = 1
        for count in range(max_length):
            for step, share in zip(self.steps, self.shares, strict=True):
                self.of_mass[count + 1, step:] += np.float32(share) * self.of_mass[count, : size - step]

    def next_token(self, before: np.ndarray, mass: float) -> int:
        """The most probable token after some residues of a peptide, or its end.

        Args:
            before: Token ids of the residues so far (residue,).
            mass: Neutral mass of the precursor, in Da.
        """
        left = round((mass - WATER - float(self.masses[before].sum())) / _BIN)
        count = len(before)
        ends = (count in self.lengths) * self._chance(0, left)
        more = [length - count - 1 for length in self.lengths if length > count]
        chances = [
            share * sum(self._chance(rest, left - step) for rest in more)
            for step, share in zip(self.steps, self.shares, strict=True)
        ]
        best = int(np.argmax(chances))
        return END if ends >= chances[best] and count else int(self.tokens[best])

    def _chance(self, count: int, bins: int) -> float:
        low, high = max(bins - _NEAR, 0), bins + _NEAR + 1
        return float(self.of_mass[count, low:high].sum()) if high > 0 else 0.0

    def tokens_after(self, peptide: np.ndarray, mass: float) -> np.ndarray:
        """What follows each true beginning of a peptide, its end included: (residue + 1,) token ids."""
        return np.array([self.next_token(peptide[:count], mass) for count in range(len(peptide) + 1)])

    def written(self, mass: float) -> np.ndarray:
        """The peptide that it writes by itself, token by token; at least one residue."""
        found: list[int] = []
        while len(found) < self.lengths[-1]:
            token = self.next_token(np.array(found, int), mass)
            if token == END:
                break
            found.append(token)
        return np.array(found, int)
