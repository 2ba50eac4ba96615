"""What exactly a layer's embedding is: everything that changes a vector besides the weights and the layer.

How it is computed: `probe/states.py`, `probe/pooling.py`.
"""

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, ClassVar

from tl_search.errors.limits import between


class FinalNorm(Enum):
    """Which layers' states go through the model's final norm.

    `all`: every layer's, which is what a model truncated after that block computes and what Layer by Layer
    measured (Skean et al., 2025, arXiv:2502.02013). `last_only`: what Hugging Face's `hidden_states` give.
    `none`: raw states everywhere.
    """

    all = "all"
    last_only = "last_only"
    none = "none"


class Pooling(Enum):
    """How token states become one vector; padding never takes part."""

    mean = "mean"
    last = "last"
    cls = "cls"
    max = "max"
    weighted_mean = "weighted_mean"


class BeginToken(Enum):
    """Whether a text begins with the tokenizer's BOS: as the tokenizer does it, always, or never."""

    tokenizer = "tokenizer"
    always = "always"
    never = "never"


class Dtype(Enum):
    """The precision of the forward pass; pooling is fp32 in any case. `auto`: bf16 on a GPU that has it, else fp32."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


@dataclass(frozen=True)
class Extraction:
    """The recipe from text to vector. All of it is part of an arm's identity.

    Texts are padded on the right and positions count from the first real token, always.

    Args:
        final_norm: Which layers get the final norm.
        pooling: How tokens become a vector.
        normalise: Whether vectors are scaled to unit length.
        max_length: Tokens kept of each text, from its start; >= 1.
        prompt: Put before every text.
        begin: Whether a BOS token is put first.
        dtype: Precision of the forward pass. Where anything in a column overflows it, or vanishes in it, the whole
            column is computed in float32, so that with float16 a vector's precision may depend on its neighbours.
    """

    final_norm: FinalNorm = FinalNorm.all
    pooling: Pooling = Pooling.mean
    normalise: bool = False
    max_length: int = 512
    prompt: str = ""
    begin: BeginToken = BeginToken.tokenizer
    dtype: Dtype = Dtype.auto

    DECIDES: ClassVar = {"files": "final_norm pooling normalise max_length prompt begin dtype"}

    def __post_init__(self) -> None:
        between(1, 10**7, max_length=self.max_length)

    def identity(self) -> dict[str, Any]:
        """Plain values for keys, reports and exports.

        Raises:
            ValueError: `dtype` is still `auto`, so that the same spec would name different vectors on two machines.
        """
        if self.dtype is Dtype.auto:
            raise ValueError("dtype: auto must be settled for the device before an arm gets its key")
        plain = {key: value.value if isinstance(value, Enum) else value for key, value in asdict(self).items()}
        return {**plain, "padding": "right", "positions": "from the first real token"}
