"""The vocabulary: amino acids, their modified forms and modifications of the first residue, each with its mass."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tl_search.training.peptide.pyteomics import AMINO_ACIDS, composition_mass, residue_masses

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, START, END, UNKNOWN = 0, 1, 2, 3  # token ids, which any vocabulary of residues begins with
_SPECIAL = ("<pad>", "<start>", "<end>", "<unknown>")
# An amino acid with its modifications, or a modification of the peptide's first end, as ProForma writes them.
TOKEN = re.compile(r"\[[^\]]+\]-|[A-Z](?:\[[^\]]+\])*")


@dataclass(frozen=True)
class Residues:
    """The 20 amino acids, and modified ones. A peptide is written as in ProForma: `[Acetyl]-M[Oxidation]AK`.

    Isoleucine and leucine are two tokens of one mass: no spectrum of this kind tells them apart.

    Args:
        modifications: A modified residue such as `M[Oxidation]`, or a modification of the first residue's end such as
            `[Acetyl]-` → the formula of the atoms that it adds, such as `O` or `H-3N-1` (which takes some away).

    Raises:
        ValueError: an entry is neither, or its formula is none.
    """

    modifications: Mapping[str, str] = field(default_factory=dict)

    DECIDES: ClassVar = {"weights": "modifications"}
    TASK: ClassVar = "peptide"

    def __post_init__(self) -> None:
        for name, formula in self.modifications.items():
            if not re.fullmatch(r"\[[^\]]+\]-|[ACDEFGHIKLMNPQRSTVWY]\[[^\]]+\]", name):
                raise ValueError(f"modifications: must name a residue such as M[Oxidation] or [Acetyl]-, got {name!r}")
            if not re.fullmatch(r"(?:[A-Z][a-z]?(?:-?\d+)?)+", formula):
                raise ValueError(f"modifications: {name} must have a formula such as C2H2O, got {formula!r}")

    def tokens(self) -> tuple[str, ...]:
        """All tokens in the order of their ids."""
        return (*_SPECIAL, *AMINO_ACIDS, *sorted(self.modifications))

    def masses(self) -> np.ndarray:
        """Monoisotopic mass of every token in Da (token,), float64; that of special tokens is 0."""
        return _masses(tuple(self.modifications.items()))

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
def _masses(modifications: tuple[tuple[str, str], ...]) -> np.ndarray:
    plain = residue_masses()
    found = dict(plain)
    for name, formula in modifications:
        found[name] = composition_mass(formula) + (0.0 if name.endswith("-") else plain[name[0]])
    tokens = (*AMINO_ACIDS, *sorted(dict(modifications)))
    masses = np.array([0.0] * len(_SPECIAL) + [found[token] for token in tokens])
    masses.flags.writeable = False
    return masses
