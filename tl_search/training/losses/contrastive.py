"""Loss term: two crops of one sequence have similar embeddings, and those of different sequences have not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from tl_search.errors.limits import between


@dataclass(frozen=True)
class Contrastive:
    """Cross-entropy of finding the other crop of a sequence among those of all sequences of the batch, in nats.

    As in Contriever (Izacard et al., 2022, arXiv:2112.09118) a sequence is cut twice at random places, and the crops
    may overlap. Each one is half of the sequence and is read on its own. Its embedding is the mean of its tokens'
    states; similarity is the cosine divided by the temperature, as in SimCSE (Gao et al., 2021, arXiv:2104.08821).
    A step makes a second pass of as many tokens, so it takes about twice as long.

    Args:
        layer: Whose states are taken: 0 is the token embeddings, l is after block l; None is the last one, which has
            the final norm.
        temperature: By which similarities are divided; a smaller one looks more at the most similar sequences.
    """

    layer: int | None = None
    temperature: float = 0.05

    DECIDES: ClassVar = {"weights": "layer temperature"}

    def __post_init__(self) -> None:
        between(0, 1000, layer=self.layer)
        if not 1e-3 <= self.temperature <= 10:  # also refuses NaN
            raise ValueError(f"temperature: must be from 0.001 to 10, got {self.temperature}")

    def __call__(self, logits: Tensor, targets: Tensor, encode: Callable[[Tensor, int | None], Tensor]) -> Tensor:
        """The loss of a batch; 0 where it has only one sequence.

        Args:
            logits: Not used; every term has the same form.
            targets: (text, token), the text without noise.
            encode: Gives the states (text, token, width) of tokens (text, token) after a layer.
        """
        texts, count = targets.shape
        length = -(-count // 2)
        # drawn on the CPU by torch's generator, which is seeded for each batch: a resumed run draws the same crops
        starts = torch.randint(count - length + 1, (2 * texts, 1)).to(targets.device)
        crops = targets.repeat(2, 1).gather(1, starts + torch.arange(length, device=targets.device))
        first, second = normalize(encode(crops, self.layer).float().mean(1), dim=-1).chunk(2)
        similar = first @ second.T / self.temperature
        own = torch.arange(texts, device=targets.device)
        return (cross_entropy(similar, own) + cross_entropy(similar.T, own)) / 2


loss = Contrastive()  # where a curriculum says nothing of it
