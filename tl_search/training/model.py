"""What a model family must offer, and how its random weights are drawn."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


class ModelConfig(Protocol):
    """The shape of a causal language model: a frozen dataclass, since its fields decide which run a folder holds.

    A family may also have a method `small()`, which gives a model that trains in a moment; `debug` uses it.
    """

    @property
    def context(self) -> int:
        """Most tokens that the model sees at once; also how many tokens of a block are predicted."""

    def parameters(self, vocabulary: int) -> int:
        """How many numbers the model learns, with a vocabulary of so many tokens."""

    def flops_per_token(self, vocabulary: int) -> float:
        """Floating-point operations that one training token takes, forward and backward; an estimate will do."""

    def build(self, tokenizer: "PreTrainedTokenizerBase", seed: int) -> "PreTrainedModel":
        """A model with random weights that depend on the seed alone; `random_weights` makes one."""


def random_weights(config: "PreTrainedConfig", seed: int) -> "PreTrainedModel":
    """A float32 model of a transformers configuration; torch's global generator is left as it was."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32)
