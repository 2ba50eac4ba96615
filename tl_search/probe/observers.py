"""How others look at token states while they are alive: a probe tells its observers of every layer as it passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Int  # a language of shapes for readers and checkers


class Rectangle(NamedTuple):
    """States of some texts of a batch at one layer, as they are pooled: after the final norm where it applies.

    Args:
        states: Of each token; after a text's real tokens, anything.
        lengths: Real tokens of each text, >= 1, which come first.
        texts: Each text's place in the list of all texts.
    """

    states: Float[Tensor, "text token width"]
    lengths: Int[Tensor, " text"]
    texts: Int[Tensor, " text"]


Observer = Callable[[int, Rectangle], None]


class Once:
    """Tells observers of every layer of some texts once, however often their batch has to be tried.

    Args:
        observers: Whom to tell.
        told: The layers below this one are known to them.
    """

    def __init__(self, observers: Sequence[Observer], told: int = 0) -> None:
        self.observers = observers
        self.told = told
        self.speaking = False  # still true when an observer failed: some of its layer's texts are told, some not

    def tell(self, layer: int, parts: Sequence[Rectangle]) -> None:
        if layer < self.told:
            return
        self.speaking = True
        for observer in self.observers:
            for part in parts:
                observer(layer, part)
        self.speaking, self.told = False, layer + 1

    def again(self) -> Once:
        """For a part of the same texts."""
        return Once(self.observers, self.told)
