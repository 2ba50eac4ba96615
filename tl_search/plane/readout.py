"""What is done with a layer's vectors after the model: the last coordinate of an arm.

A readout is an affine map that is fitted without labels, on texts that no arm is scored on. How it is fitted and
applied: `probe/readout.py`. [readouts.md](../../docs/readouts.md) says where each comes from and what it is worth.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

from tl_search.errors.limits import between


class Form(Enum):
    """What the map does.

    `raw`: nothing. `standardised`: mean 0 and variance 1 in every dimension. `whitened`: principal components with unit
    variance. `mean`: the mean of a window's standardised layers. `joined`: a window's standardised layers side by side,
    whitened.
    """

    raw = "raw"
    standardised = "standardised"
    whitened = "whitened"
    mean = "mean"
    joined = "joined"

    @property
    def of_window(self) -> bool:
        """Whether it takes several layers."""
        return self in (Form.mean, Form.joined)

    @property
    def whitens(self) -> bool:
        """Whether it ends in principal components."""
        return self in (Form.whitened, Form.joined)


class Shrinkage(Enum):
    """How the covariance of few texts is made better: as Ledoit and Wolf (2004) do it, or not at all."""

    ledoit_wolf = "ledoit_wolf"
    none = "none"


@dataclass(frozen=True)
class Readout:
    """What is done with the vectors of a layer.

    Args:
        form: What the map does.
        rank: Principal components that are kept, >= 1; None = the model's width. Only where the form whitens.
        window: Layers that are joined or averaged, the last of which is the arm's, >= 1; None = all from layer 0. Near
            the first layer there are fewer.
        shrinkage: Of the covariance, where the form whitens.

    Raises:
        ValueError: a value breaks its rule, or the form does not use it.
    """

    form: Form = Form.raw
    rank: int | None = None
    window: int | None = None
    shrinkage: Shrinkage = Shrinkage.ledoit_wolf

    DECIDES: ClassVar = {"files": "form rank window shrinkage"}

    def __post_init__(self) -> None:
        between(1, 10**6, rank=self.rank, window=self.window)
        for name, used in (("rank", self.form.whitens), ("window", self.form.of_window)):
            if getattr(self, name) is not None and not used:
                uses = ", ".join(form.value for form in Form if (form.whitens if name == "rank" else form.of_window))
                raise ValueError(f"{name}: must be null with form={self.form.value}; it is for {uses}")
        if self.shrinkage is not Shrinkage.ledoit_wolf and not self.form.whitens:
            raise ValueError(f"shrinkage: must be left out with form={self.form.value}, which does not whiten")

    @property
    def is_raw(self) -> bool:
        return self.form is Form.raw

    @property
    def name(self) -> str:
        """How arms and files name it, such as `whitened` or `joined-rank192-window4`: equal only for equal readouts."""
        options = {"rank": self.rank, "window": self.window}
        said = [f"{option}{value}" for option, value in options.items() if value is not None]
        return "-".join([self.form.value, *said, *["unshrunk"] * (self.shrinkage is Shrinkage.none)])

    def layers(self, layer: int) -> range:
        """The layers whose vectors the readout of `layer` takes."""
        if not self.form.of_window:
            return range(layer, layer + 1)
        return range(0 if self.window is None else max(0, layer + 1 - self.window), layer + 1)

    def identity(self) -> dict[str, Any]:
        """Everything that changes the vectors beside the layer and the texts of the fit; the name does not."""
        found: dict[str, Any] = {"form": self.form.value}
        if self.form.whitens:
            found |= {"rank": self.rank, "shrinkage": self.shrinkage.value}
        if self.form.of_window:
            found["window"] = self.window
        return found


RAW = Readout()


@dataclass(frozen=True)
class Readouts:
    """The readouts that a search looks at, and the texts that they are fitted on.

    Args:
        entries: Name → readout. The names only tell settings apart. Raw is always looked at.
        texts: A file of a person's own texts, one a line; None = texts of the tasks' training splits.
        texts_per_task: Most texts that are drawn of each task's training split, >= 2.
        seed: Of that draw.

    Raises:
        ValueError: two entries are the same readout.
    """

    entries: Mapping[str, Readout] = field(default_factory=lambda: {"raw": RAW})
    texts: Path | None = None
    texts_per_task: int = 1000
    seed: int = 0

    DECIDES: ClassVar = {"files": "entries texts texts_per_task seed"}

    def __post_init__(self) -> None:
        between(2, 10**6, texts_per_task=self.texts_per_task)
        between(0, 2**32 - 1, seed=self.seed)
        names: dict[str, str] = {}
        for key, one in self.entries.items():
            if names.setdefault(one.name, key) != key:
                raise ValueError(f"entries.{key}: must differ from entries.{names[one.name]}; both are {one.name}")

    @property
    def used(self) -> tuple[Readout, ...]:
        """Raw, then the others in their order."""
        found = [one for one in self.entries.values() if not one.is_raw]
        return (RAW, *found)
