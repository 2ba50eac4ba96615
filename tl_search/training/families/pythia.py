"""The Pythia suite's family, GPT-NeoX."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from tl_search.errors.limits import between
from tl_search.training.model import random_weights
from tl_search.training.tokens import rows

if TYPE_CHECKING:
    from transformers import GPTNeoXConfig, PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Pythia:
    """A GPT-NeoX language model in the shape that the Pythia suite uses.

    Parallel residuals, untied embeddings and a feed-forward part of four widths (Biderman et al., 2023,
    arXiv:2304.01373, table 1).

    Args:
        width: Width of the hidden states.
        blocks: Number of transformer blocks L; the model has layers 0..L.
        heads: Attention heads; must divide the width.
        context: Context length: the most tokens in one sequence.
        rotary_share: Share of each head's width that gets rotary position embeddings.
        dropout: Dropout rate of attention and hidden states during training, in [0, 1).
        vocabulary_multiple: The embedding's rows are rounded up to a multiple of this, which is faster on GPUs.
    """

    width: int
    blocks: int
    heads: int
    context: int = 2048
    rotary_share: float = 0.25
    dropout: float = 0.0
    vocabulary_multiple: int = 1

    DECIDES: ClassVar = {"weights": "width blocks heads context rotary_share dropout vocabulary_multiple"}

    def __post_init__(self) -> None:
        between(1, 10**6, width=self.width, heads=self.heads, vocabulary_multiple=self.vocabulary_multiple)
        between(1, 1000, blocks=self.blocks)  # a reader of its config.json believes no more
        between(1, 10**7, context=self.context)
        if self.width % self.heads:
            raise ValueError(f"heads: must divide width {self.width}, got {self.heads}")
        if not 0 < self.rotary_share <= 1:
            raise ValueError(f"rotary_share: must be above 0 and at most 1, got {self.rotary_share}")
        rotated = int(self.width // self.heads * self.rotary_share)
        if rotated < 2 or rotated % 2:
            raise ValueError(
                f"rotary_share: must rotate an even number of a head's {self.width // self.heads} "
                f"dimensions, got {self.rotary_share} ({rotated})"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: must be at least 0 and below 1, got {self.dropout}")

    def small(self) -> "Pythia":
        """A model of the same family that trains in a moment, for `debug`."""
        return replace(self, width=32, blocks=2, heads=2, context=min(self.context, 64), rotary_share=0.25)

    def parameters(self, vocabulary: int) -> int:
        """How many numbers the model learns, with the vocabulary of a tokenizer."""
        block = 12 * self.width**2 + 13 * self.width  # attention 4, feed-forward 8 squares; biases, two layer norms
        return 2 * self.embedding_rows(vocabulary) * self.width + self.blocks * block + 2 * self.width

    def flops_per_token(self, vocabulary: int) -> float:
        """Floating-point operations of a training token, forward and backward.

        6 for each parameter that is multiplied (Kaplan et al., 2020, arXiv:2001.08361, section 2.1). The input
        embedding is not: its rows are looked up. Attention's scores take another 12 · blocks · width · context
        (Chowdhery et al., 2022, arXiv:2204.02311, appendix B).
        """
        multiplied = self.parameters(vocabulary) - self.embedding_rows(vocabulary) * self.width
        return 6.0 * multiplied + 12.0 * self.blocks * self.width * self.context

    def embedding_rows(self, vocabulary: int) -> int:
        """Rows of the embedding for a vocabulary."""
        return -(-vocabulary // self.vocabulary_multiple) * self.vocabulary_multiple

    def config(self, tokenizer: "PreTrainedTokenizerBase") -> "GPTNeoXConfig":
        """The transformers configuration, with the vocabulary of the tokenizer."""
        from transformers import GPTNeoXConfig

        return GPTNeoXConfig(
            vocab_size=self.embedding_rows(rows(tokenizer)),
            hidden_size=self.width,
            num_hidden_layers=self.blocks,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.width,
            max_position_embeddings=self.context,
            rope_parameters={"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": self.rotary_share},
            attention_dropout=self.dropout,
            hidden_dropout=self.dropout,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )

    def build(self, tokenizer: "PreTrainedTokenizerBase", seed: int) -> "PreTrainedModel":
        """A model with random weights, a function of the seed alone; the global generator is left as it was."""
        return random_weights(self.config(tokenizer), seed)
