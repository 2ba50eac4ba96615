"""The data parameters that a stage may set for a language model: what the batches of text are like in it.

A batch is made of its step's parameters wherever it is made: the loader knows the step of every batch by the batch's
number. So a worker process that prepares batches ahead needs no word when a stage begins.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tl_search.errors.nearest import did_you_mean
from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.text.mix import Mix

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class BatchForm:
    """What the batches of a step are like.

    Args:
        sequence_length: Predicted tokens of a sequence. A block of text is cut into sequences of this length, which do
            not see each other, so a step has the same tokens whatever it is. It divides the model's context.
        noise: Share of the tokens that the model sees which are replaced by random ones, 0 to below 1. The tokens that
            it is to predict stay. With a larger share, the same tokens are replaced and more.
        mix: Source of the text → its part of the blocks; empty for a text without sources.
    """

    sequence_length: int
    noise: float = 0.0
    mix: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any], context: int, corpus: Any = None) -> Self:
        """A stage's data parameters, each that it leaves out at its default. Raises ValueError, which names one.

        Args:
            context: Of the model.
            corpus: What is trained on; only one that is a `Mix` has sources.
        """
        mix = values.get("mix")
        if not isinstance(corpus, Mix):
            if mix is not None:
                raise ValueError(f"mix: must be left out, since the text has no sources (data=mix has), got {mix}")
            parts: Mapping[str, float] = {}
        elif mix is not None and not isinstance(mix, Mapping):
            raise ValueError(f"mix: must be a mapping of sources to shares, got {mix!r}")
        else:
            parts = corpus.shares(mix)
        form = cls(values.get("sequence_length", context), values.get("noise", 0.0), parts)
        form.check(context)
        return form

    def check(self, context: int) -> None:
        """Raises ValueError for a value that a model with this context cannot have."""
        length, noise = self.sequence_length, self.noise
        if type(length) is not int or not 1 <= length <= context or context % length:
            raise ValueError(f"sequence_length: must be a divisor of model.context, {context}, got {length!r}")
        if type(noise) not in (int, float) or not 0 <= noise < 1:
            raise ValueError(f"noise: must be at least 0 and below 1, got {noise!r}")


NAMES = tuple(sorted(one.name for one in fields(BatchForm)))


def check_data(curriculum: Curriculum, names: Sequence[str], form_of: Callable[[Mapping[str, Any]], Any]) -> None:
    """Checks that every stage sets known data parameters to possible values. Raises ValueError naming the stage.

    Args:
        names: The parameters that the task has.
        form_of: Makes the form of a stage's parameters, as in `Task.form_of`.
    """
    for name, stage in curriculum.stages.items():
        for given in stage.data:
            if given not in names:
                raise ValueError(
                    f"curriculum.stages.{name}.data: must name data parameters out of {', '.join(names)}, got "
                    f"{given!r}{did_you_mean(given, names)}"
                )
        try:
            form_of(stage.data)
        except ValueError as error:
            raise ValueError(f"curriculum.stages.{name}.data.{error}") from error


def fitted(curriculum: Curriculum, context: int) -> Curriculum:
    """A curriculum for a model with another context, whose sequences may have to be shorter."""

    def fit(stage: Stage) -> Stage:
        if not isinstance(length := stage.data.get("sequence_length"), int):
            return stage
        return replace(stage, data={**stage.data, "sequence_length": math.gcd(length, context)})

    return replace(curriculum, stages={name: fit(stage) for name, stage in curriculum.stages.items()})


def formed(blocks: "Tensor", form: BatchForm, seeds: Sequence[int], vocabulary: int) -> "Tensor":
    """A batch of a form.

    Args:
        blocks: int64 (block, context + 1).
        seeds: Seed of the noise in each block.
        vocabulary: Number of tokens from which the noise is drawn.

    Returns:
        int64 (sequence, sequence_length + 1); with noise (2, sequence, sequence_length + 1), of which the first is what
        the model sees, and the second the text as it is.
    """
    import torch

    if not form.noise:
        return _cut(blocks, form.sequence_length)
    seen = torch.stack([_noisy(block, form.noise, seed, vocabulary) for block, seed in zip(blocks, seeds, strict=True)])
    return torch.stack([_cut(rows, form.sequence_length) for rows in (seen, blocks)])


def _cut(blocks: "Tensor", length: int) -> "Tensor":
    return blocks if blocks.shape[1] == length + 1 else blocks.unfold(1, length + 1, length).flatten(0, 1)


def _noisy(block: "Tensor", share: float, seed: int, vocabulary: int) -> "Tensor":
    import torch

    generator = np.random.default_rng(seed)
    chance, other = generator.random(len(block)), generator.integers(vocabulary, size=len(block))
    return torch.where(torch.from_numpy(chance < share), torch.from_numpy(other), block)
