"""What a label-free metric is: a frozen dataclass in a file of its own, whose fields are its options.

It derives from the class that says what it is measured of: `OfTokens`, `OfVectors`, `OfSpectrum` or `OfViews`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

from tl_search import plugins
from tl_search.errors.nearest import did_you_mean
from tl_search.probe.measuring.spectrum import eigenvalues, prepare

if TYPE_CHECKING:
    from jaxtyping import Float, Int  # a language of shapes for readers and checkers
    from torch import Tensor

HOME = "tl_search.probe.metrics"  # the package of our own metrics
_WORDS = {float: "a number", int: "an integer", bool: "true or false", str: "text"}


def option(
    default: Any,
    above: float | None = None,
    least: float | None = None,
    words: tuple[str, ...] = (),
    most: float = 10**9,
) -> Any:
    """An option with a rule.

    Args:
        default: Its type is the option's: float, int, bool or str.
        above: The value must be greater than this.
        least: The value must be this or greater.
        words: The value must be one of these.
        most: A number must be this or less.
    """
    return field(default=default, metadata={"above": above, "least": least, "words": words, "most": most})


def _broken(
    value: Any,
    above: float | None = None,
    least: float | None = None,
    words: tuple[str, ...] = (),
    most: float = 10**9,
) -> str:
    """The rule that a value breaks, in words."""
    if above is not None and not value > above:
        return f"> {above}"
    if least is not None and not value >= least:
        return f">= {least}"
    if isinstance(value, int | float) and not value <= most:
        return f"<= {most:,}"
    return " or ".join(words) if words and value not in words else ""


@dataclass(frozen=True)
class Metric(ABC):
    """One number for every layer, from states alone.

    Raises:
        ValueError: an option has the wrong type or breaks its rule; the message begins with the option's name.
    """

    higher_is_better: ClassVar[bool | None] = None  # None: neither direction is better by itself

    def __post_init__(self) -> None:
        for one in fields(self):
            value, kind = getattr(self, one.name), type(one.default)
            if type(value) is not kind and not (kind is float and type(value) is int):
                raise ValueError(f"{one.name}: must be {_WORDS[kind]}, got {value!r}")
            if rule := _broken(value, **one.metadata):
                raise ValueError(f"{one.name}: must be {rule}, got {value!r}")
            object.__setattr__(self, one.name, kind(value))

    @abstractmethod
    def measure(self, *states: Any, **more: Any) -> Any:
        """Each of the four kinds of metrics says what it takes and returns."""

    @property
    def options(self) -> dict[str, Any]:
        """The value of every option by its name."""
        return asdict(self)


class OfTokens(Metric):
    """Measured of the token states of single prompts; a layer's value is the mean over prompts."""

    @abstractmethod
    def measure(
        self, states: Float[Tensor, "*layer text token width"], lengths: Int[Tensor, " text"] | None = None
    ) -> Float[Tensor, "*layer text"]:
        """Of each prompt; NaN leaves a prompt out of the mean. `lengths` are the real tokens, first; None: all are."""


class OfVectors(Metric):
    """Measured of the pooled vectors of all texts together."""

    @abstractmethod
    def measure(self, vectors: Float[Tensor, "*layer text width"]) -> Float[Tensor, "*layer"]:
        """Of each layer."""


class OfSpectrum(OfVectors):
    """Measured of the spectrum of all texts' vectors, which metrics with the same preparation share."""

    @property
    def preparation(self) -> tuple[bool, bool]:
        """Whether vectors are centred, and whether they are scaled to unit length: options of these names, or no."""
        return getattr(self, "centre", False), getattr(self, "row_norm", False)

    @abstractmethod
    def of_spectrum(self, values: Float[Tensor, "*layer side"], texts: int, width: int) -> Float[Tensor, "*layer"]:
        """Of the eigenvalues of the Gram matrix of (text, width) vectors, in rising order."""

    def measure(self, vectors: Float[Tensor, "*layer text width"]) -> Float[Tensor, "*layer"]:
        texts, width = vectors.shape[-2:]
        return self.of_spectrum(eigenvalues(prepare(vectors, *self.preparation)), texts, width)


class OfViews(Metric):
    """Measured of the pooled vectors of several noisy views of each text."""

    @abstractmethod
    def measure(self, views: Float[Tensor, "*layer text view width"]) -> Float[Tensor, "*layer"]:
        """Of each layer."""


@dataclass(frozen=True)
class MatrixEntropy(Metric):
    """The options of the metrics that are a matrix-based entropy.

    Args:
        alpha: Order of the entropy, > 0; 1 is Shannon's.
        centre: Whether the mean row is taken off first.
        row_norm: Whether rows are then scaled to unit length.
        normalisation: `raw` in nats, or `max`: over the largest that is possible.
    """

    alpha: float = option(1.0, above=0)
    centre: bool = False
    row_norm: bool = False
    normalisation: str = option("raw", words=("raw", "max"))


def find_metric(name: str, options: Mapping[str, Any]) -> Metric:
    """The metric of a name, ours or an allowed package's, with the given options and its own defaults for the others.

    Raises:
        ValueError: there is no such metric or option, or a value is wrong; the message begins with the option's path
            below `measures`.
    """
    module = plugins.find(HOME, name)
    if module is None:
        known = plugins.names(HOME)
        raise ValueError(f"measures: must be of {', '.join(known)}, got {name!r}{did_you_mean(name, known)}")
    classes = [part for part in vars(module).values() if isinstance(part, type) and issubclass(part, Metric)]
    own = [cls for cls in classes if cls.__module__ == module.__name__]  # not those that it imports
    if len(own) != 1:
        raise ValueError(f"measures.{name}: {module.__name__} must define one Metric, got {len(own)}")
    known = [one.name for one in fields(own[0])]
    for key in options:
        if key not in known:
            has = ", ".join(known) or "no options"
            raise ValueError(f"measures.{name}.{key}: unknown key; {name} has {has}{did_you_mean(key, known)}")
    try:
        return own[0](**options)
    except ValueError as error:
        raise ValueError(f"measures.{name}.{error}") from error
