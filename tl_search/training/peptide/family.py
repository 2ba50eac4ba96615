"""The model family of peptide sequencing: a transformer from peaks to residues."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from tl_search.errors.limits import between

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MASSES = "residue_masses"  # where the tokenizer carries the masses of its tokens


@dataclass(frozen=True)
class PeptideTransformer:
    """An encoder over a spectrum's peaks and a decoder over a peptide's residues, with pre-norm blocks.

    Args:
        width: Width of the hidden states, even.
        blocks: Transformer blocks of the encoder, and of the decoder.
        heads: Attention heads; must divide the width.
        feed_forward: Width of the feed-forward layers.
        context: Most tokens of a peptide: its residues and its end.
        dropout: Dropout rate during training, in [0, 1).
        max_charge: Precursors of a higher charge count as of this one.
    """

    width: int = 128
    blocks: int = 2
    heads: int = 4
    feed_forward: int = 512
    context: int = 32
    dropout: float = 0.0
    max_charge: int = 8

    DECIDES: ClassVar = {"weights": "width blocks heads feed_forward context dropout max_charge"}
    TASK: ClassVar = "peptide"

    def __post_init__(self) -> None:
        between(1, 10**6, heads=self.heads, feed_forward=self.feed_forward)
        between(1, 10_000, blocks=self.blocks, max_charge=self.max_charge)
        between(2, 10**6, width=self.width)
        between(2, 1001, context=self.context)
        if self.width % self.heads or self.width % 2:
            raise ValueError(f"width: must be even and a multiple of heads {self.heads}, got {self.width}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: must be at least 0 and below 1, got {self.dropout}")

    def small(self) -> "PeptideTransformer":
        """A model of the same family that trains in a moment, for `debug`."""
        return replace(self, width=32, blocks=1, heads=2, feed_forward=64)

    def parameters(self, vocabulary: int) -> int:
        """How many numbers the model learns."""
        width, wide = self.width, self.feed_forward
        attention, forward, norm = 4 * width * (width + 1), 2 * width * wide + width + wide, 2 * width
        blocks = self.blocks * (3 * attention + 2 * forward + 5 * norm) + 2 * norm
        linears = 3 * width * (width + 1) + 2 * width  # of masses (three) and of the intensity
        looked_up = (8 * vocabulary + 1) * width  # of fragments: four series at two distances
        tables = (self.max_charge + 1 + vocabulary + self.context) * width
        return blocks + linears + looked_up + tables + vocabulary * (width + 1)

    def flops_per_token(self, vocabulary: int) -> float:
        """Floating-point operations of a training spectrum, forward and backward: 6 for each parameter and place.

        A spectrum counts as one token; an encoder block sees about a hundred peaks, a decoder block about 15 residues.
        """
        attention, forward = 4 * self.width**2, 2 * self.width * self.feed_forward
        return 6.0 * self.blocks * (100 * (attention + forward) + 15 * (2 * attention + forward))

    def build(self, tokenizer: "PreTrainedTokenizerBase", seed: int) -> "PreTrainedModel":
        """A model with random weights, a function of the seed alone; the global generator is left as it was."""
        import torch

        from tl_search.training.peptide.network import SpectrumConfig, SpectrumToPeptide
        from tl_search.training.peptide.residues import END, PAD, START
        from tl_search.training.tokens import rows

        config = SpectrumConfig(
            vocab_size=rows(tokenizer),
            width=self.width,
            blocks=self.blocks,
            heads=self.heads,
            feed_forward=self.feed_forward,
            dropout=self.dropout,
            max_tokens=self.context,
            max_charge=self.max_charge,
            masses=tokenizer.init_kwargs[MASSES],
            bos_token_id=START,
            eos_token_id=END,
            pad_token_id=PAD,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return SpectrumToPeptide(config)
