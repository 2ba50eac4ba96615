"""Observers: functions to which a probe shows the token states of every layer while they are in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Int  # a language of shapes for readers and checkers


class Rectangle(NamedTuple):
    """States of some texts of a batch at one layer, as they are pooled: after the final norm where it applies.

    Args:
        states: Of each token, in the pass's dtype; what follows a text's real tokens has no meaning.
        lengths: Real tokens of each text, >= 1, which come first.
        texts: The index of each text in the list of all texts.
    """

    states: Float[Tensor, "text token width"]
    lengths: Int[Tensor, " text"]
    texts: Int[Tensor, " text"]


# Called with a layer's number and the states of some texts.
Observer = Callable[[int, Rectangle], None]


class Once:
    """Shows observers every layer of some texts exactly once, also when the batch must be tried again.

    Args:
        observers: Called in this order.
        told: Layers below this one have been shown already.

    Attributes:
        speaking: Stays true when an observer fails: then only a part of a layer's texts has been shown.
    """

    def __init__(self, observers: Sequence[Observer], told: int = 0) -> None:
        self.observers = observers
        self.told = told
        self.speaking = False

    def tell(self, layer: int, parts: Sequence[Rectangle]) -> None:
        """Show a layer, unless it has been shown."""
        if layer < self.told:
            return
        self.speaking = True
        for observer in self.observers:
            for part in parts:
                observer(layer, part)
        self.speaking, self.told = False, layer + 1

    def again(self) -> Once:
        """One for a part of the same texts, which has seen the same layers."""
        return Once(self.observers, self.told)
