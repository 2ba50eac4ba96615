"""What a task must offer: the seam between how a training goes and what is learned in it.

The data say which task a training is for (`TASK`); model and tokenizer must be of the same one. Language modelling is
in `language.py`, peptide sequencing in `peptide/task.py`.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tl_search.plane.curriculum import Curriculum
from tl_search.training.ordered import OrderedLoader, Origin

if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule
    from transformers import PreTrainedTokenizerBase

    from tl_search.training.optim import OptimizerConfig
    from tl_search.training.timeline import Timeline

LANGUAGE = "language"  # the task of parts that name none


class Planned(Protocol):
    """What a task sees of a training's plan."""

    @property
    def model(self) -> Any:
        """Settings of the model."""

    @property
    def data(self) -> Any:
        """What is trained on."""

    @property
    def tokenizer(self) -> Any:
        """How targets become tokens."""

    @property
    def curriculum(self) -> Curriculum:
        """The stages."""

    @property
    def trainer(self) -> Mapping[str, Any]:
        """Arguments of Lightning's Trainer."""

    @property
    def seed(self) -> int:
        """The run's seed."""

    @property
    def devices(self) -> int:
        """How many ranks read data."""

    @property
    def batches_per_step(self) -> int:
        """Batches of a rank in an optimizer step."""

    @property
    def evaluates(self) -> bool:
        """Whether the eval loss is measured."""


class Packed(Protocol):
    """A plan's data, ready to be read."""

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """Saved with every model."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What the run's record says of the data."""

    def tell(self) -> None:
        """Say what there is, and warn of what may be wrong with it."""


class Task(Protocol):
    """One kind of training."""

    name: str
    data_parameters: Sequence[str]  # which a stage may set

    def form_of(self, plan: Planned) -> Callable[[Mapping[str, Any]], Any]:
        """A stage's data parameters → a frozen dataclass with all of them. The function raises ValueError."""

    def fitted(self, curriculum: Curriculum, context: int) -> Curriculum:
        """A curriculum for a model with another context."""

    def unit(self, plan: Planned) -> int:
        """Tokens that one item of a batch counts for."""

    def loader(self, plan: Planned, packed: Any, rank: int, origin: Origin) -> OrderedLoader:
        """The training batches of one rank. Raises ValueError when the data do not fill one step."""

    def held_out(self, plan: Planned, packed: Any) -> list[Any]:
        """Batches for the eval loss, which have a length and `to(device)`. Raises ValueError where there is none."""

    def module(self, model: Any, timeline: "Timeline", optimizer: "OptimizerConfig") -> "LightningModule":
        """What is trained; it has a `held_out_loss` of a batch, in nats per token."""

    def load(self, folder: Path) -> Any:
        """The model of a revision's folder, in float32."""

    def publishes(self, plan: Planned) -> Sequence[str]:
        """How the names of its measurements begin, beside those of the eval loss."""

    def measures(self, plan: Planned, packed: Any, due: Set[int], averaged: bool) -> "list[Callback]":
        """Callbacks that measure more than the eval loss at the given steps, and publish it."""


def task_named(part: object) -> str:
    """The name of the task that a model's, tokenizer's or data's settings are for."""
    return str(getattr(part, "TASK", LANGUAGE))
