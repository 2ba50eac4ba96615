"""The vocabulary: amino acids, their modified forms and modifications of the first residue, each with its mass."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tl_search.training.peptide.pyteomics import AMINO_ACIDS, composition_mass, residue_masses

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, START, END, UNKNOWN = 0, 1, 2, 3  # token ids, which any vocabulary of residues begins with
_SPECIAL = ("<pad>", "<start>", "<end>", "<unknown>")
# An amino acid with its modifications, or a modification of the peptide's first end, as ProForma writes them.
_MODIFICATION = re.compile(r"(?:\[[^\]]+\]-|[ACDEFGHIKLMNPQRSTVWY]\[[^\]]+\])=(?:[A-Z][a-z]?(?:-?\d+)?)+")
TOKEN = re.compile(r"\[[^\]]+\]-|[A-Z](?:\[[^\]]+\])*")


@dataclass(frozen=True)
class Residues:
    """The 20 amino acids, and modified ones. A peptide is written as in ProForma: `[Acetyl]-M[Oxidation]AK`.

    Isoleucine and leucine are two tokens of one mass: no spectrum of this kind tells them apart.

    Args:
        modifications: `NAME=FORMULA` each. A name is that of a modified residue, as in `M[Oxidation]=O`, or of a
            modification of the first residue's end, as in `[Acetyl]-=H2C2O`. The formula is that of the atoms which
            it adds; `H-3N-1` takes some away.

    Raises:
        ValueError: an entry is neither, or its formula is none.
    """

    modifications: tuple[str, ...] = ()

    DECIDES: ClassVar = {"weights": "modifications"}
    TASK: ClassVar = "peptide"

    def __post_init__(self) -> None:
        object.__setattr__(self, "modifications", tuple(self.modifications))
        for entry in self.modifications:
            if not _MODIFICATION.fullmatch(entry):
                raise ValueError(f"modifications: must be like M[Oxidation]=O or [Acetyl]-=H2C2O, got {entry!r}")
        if len(self.formulas()) < len(self.modifications):
            raise ValueError(f"modifications: must name each only once, got {list(self.modifications)}")

    def formulas(self) -> dict[str, str]:
        """Modified residue, or modification of the first end → the formula of what it adds."""
        return {entry.rpartition("=")[0]: entry.rpartition("=")[2] for entry in self.modifications}

    def tokens(self) -> tuple[str, ...]:
        """All tokens in the order of their ids."""
        return (*_SPECIAL, *AMINO_ACIDS, *sorted(self.formulas()))

    def masses(self) -> np.ndarray:
        """Monoisotopic mass of every token in Da (token,), float64; that of special tokens is 0."""
        return _masses(self.modifications)

    def first_only(self) -> np.ndarray:
        """Whether a token modifies the first residue's end, and stands before it (token,)."""
        return np.array([name.endswith("-") for name in self.tokens()])

    def build(self, documents: Iterable[str] = ()) -> "PreTrainedTokenizerFast":
        """A tokenizer of peptides, with a token for each residue."""
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        vocabulary = {token: number for number, token in enumerate(self.tokens())}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=_SPECIAL[UNKNOWN]))
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(TOKEN.pattern), behavior="isolated")
        tokenizer.add_special_tokens([*_SPECIAL])
        return PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            pad_token=_SPECIAL[PAD],
            bos_token=_SPECIAL[START],
            eos_token=_SPECIAL[END],
            unk_token=_SPECIAL[UNKNOWN],
            residue_masses=[float(mass) for mass in self.masses()],  # the model is built from these
            clean_up_tokenization_spaces=False,
        )


@lru_cache
def _masses(modifications: tuple[str, ...]) -> np.ndarray:
    plain, formulas = residue_masses(), Residues(modifications).formulas()
    found = dict(plain)
    for name, formula in formulas.items():
        found[name] = composition_mass(formula) + (0.0 if name.endswith("-") else plain[name[0]])
    tokens = (*AMINO_ACIDS, *sorted(formulas))
    masses = np.array([0.0] * len(_SPECIAL) + [found[token] for token in tokens])
    masses.flags.writeable = False
    return masses
