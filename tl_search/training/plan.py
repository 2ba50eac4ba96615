"""The parts of a training run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tl_search.errors.limits import MOST_STEPS, between
from tl_search.plane.curriculum import Curriculum
from tl_search.plane.schedule import Schedule
from tl_search.runs.identity import Decides, decisions, plain
from tl_search.runs.target import AUTO
from tl_search.training.branch import Branch
from tl_search.training.callback_checks import check_kinds, check_monitors
from tl_search.training.callbacks.best import Best, check_entries
from tl_search.training.data import Text
from tl_search.training.entries import CallbackEntry, LoggerEntry
from tl_search.training.language import LanguageTask
from tl_search.training.limits import deciding
from tl_search.training.model import ModelConfig
from tl_search.training.optim import LrPolicy, OptimizerConfig
from tl_search.training.ordered import FROM_THE_START, OrderedLoader, Origin
from tl_search.training.peptide.data import SpectrumData
from tl_search.training.peptide.task import PeptideTask
from tl_search.training.retention import Checkpointing, RevisionWeights
from tl_search.training.stage_data import check_data
from tl_search.training.task import LANGUAGE, Packed, Task, task_named
from tl_search.training.terms import check_terms
from tl_search.training.tokens import TokenizerConfig
from tl_search.training.trainer import FREE, check_trainer, device_count

if TYPE_CHECKING:
    from lightning.pytorch import Callback
    from lightning.pytorch.loggers import Logger

_PLANNED = (Decides.weights, Decides.steps)
_TASKS: Mapping[str, Task] = {task.name: task for task in (LanguageTask(), PeptideTask())}


@dataclass(frozen=True)
class TrainingPlan:
    """The parts of a training run, checked against each other.

    Args:
        model: Settings of a model family.
        tokenizer: How text becomes tokens.
        data: What is trained on and how it is divided into batches; it says which task the training is for.
        schedule: At which steps a revision is written.
        curriculum: The weights of the loss terms, and the data parameters, at each step.
        optimizer: Ours, or a mapping with the `_target_` of one of torch's.
        trainer: Arguments of Lightning's Trainer; `max_steps`, or `max_epochs`, says how long the run is.
        callbacks: Name → one of ours, a Lightning callback, a mapping with the `_target_` of one, or None.
        logger: Name → likewise.
        seed: Random seed of the initial weights, the order of the data and dropout, which are independent.
        checkpoint: Which full states are kept, and how they are written.
        eval_interval: Steps between two measurements of the eval loss; every revision has one, too.
        ema_decay: Decay of an exponential moving average of the weights, in (0, 1); None keeps no average.
        compile: Whether torch.compile is used to make steps faster.
        resume: `auto` continues from the newest whole state; `best`, or the path of a run or of one of its states, sets
            the run back to that state. Only with a path may the length and the schedule differ from the run's.
        lr_policy: What the learning rate does when the run's length changes.
        cache: Folder for tokens, which several runs may share; None keeps them in the run directory.
        debug: Whether the plan is only tried, with a small model and for a few steps (`training/rehearsal.py`).
        branch_from: `RUN@stepN` or `RUN@best`: the run begins with this state of another run; None begins anew.
        branch: What such a run takes over.

    Raises:
        ValueError: naming the setting that is wrong.
    """

    model: ModelConfig
    tokenizer: TokenizerConfig
    data: Text | SpectrumData
    schedule: Schedule
    curriculum: Curriculum
    optimizer: OptimizerConfig | Mapping[str, Any]
    trainer: Mapping[str, Any]
    callbacks: Mapping[str, "CallbackEntry | Best | Callback | Mapping[str, Any] | None"] = field(default_factory=dict)
    logger: Mapping[str, "LoggerEntry | Logger | Mapping[str, Any] | None"] = field(default_factory=dict)
    seed: int = 0
    checkpoint: Checkpointing = field(default_factory=Checkpointing)
    eval_interval: int = 500
    ema_decay: float | None = None
    compile: bool = False
    resume: str = AUTO
    lr_policy: LrPolicy = LrPolicy.keep
    cache: Path | None = None
    debug: bool = False
    branch_from: str | None = None
    branch: Branch = field(default_factory=Branch)

    # of `trainer`, each argument decides for itself, and `checkpoint.weights` decides weights
    DECIDES: ClassVar = {
        "weights": "model tokenizer data curriculum optimizer trainer seed ema_decay compile branch_from branch",
        "steps": "schedule",
        "files": "callbacks checkpoint eval_interval",
        "free": "logger resume lr_policy cache debug",
    }

    def __post_init__(self) -> None:
        between(1, MOST_STEPS, eval_interval=self.eval_interval)
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ValueError(f"ema_decay: must be above 0 and below 1, or null, got {self.ema_decay}")
        if self.checkpoint.weights is RevisionWeights.ema and self.ema_decay is None:
            raise ValueError("ema_decay: must be given, since checkpoint.weights=ema, got null")
        for place in ("model", "tokenizer"):
            if (other := task_named(getattr(self, place))) != self.task.name:
                raise ValueError(
                    f"{place}: must be of the task of data, {self.task.name}, got one of {other}, "
                    f"{type(getattr(self, place)).__name__}"
                )
        check_terms(self.curriculum, self.task.name, getattr(self.model, "blocks", None))
        check_data(self.curriculum, self.task.data_parameters, self.task.form_of(self))
        check_trainer(self.trainer)
        tried = "debug=true" if self.debug else "trainer.fast_dev_run" if self.trainer.get("fast_dev_run") else ""
        if tried and self.resume != AUTO:
            raise ValueError(f"resume: must be left out with {tried}, which keeps nothing of a run, got {self.resume}")
        if tried and self.branch_from is not None:
            raise ValueError(f"branch_from: must be left out with {tried}, which begins anew, got {self.branch_from}")
        if self.branch_from is None and self.branch != Branch():
            raise ValueError("branch: must be left out without branch_from=RUN@stepN, since it says how a run branches")
        check_entries(self.callbacks)
        for room in ("callbacks", "logger"):
            for name, entry in getattr(self, room).items():
                if isinstance(entry, str | bool | int | float | list):
                    raise ValueError(f"{room}.{name}: must be a node with its _target_, or null, got {entry!r}")
                if self.task.name != LANGUAGE and getattr(entry, "PUBLISHES", None):
                    raise ValueError(f"{room}.{name}: must be null, since it embeds texts; data is of {self.task.name}")
        check_kinds(self.callbacks, any(entry is not None for entry in self.logger.values()), self.batches_per_step)
        check_monitors(self.callbacks, self.evaluates, self.task.publishes(self) if self.evaluates else ())

    @property
    def devices(self) -> int:
        return device_count(self.trainer)

    @property
    def evaluates(self) -> bool:
        """Whether the eval loss is measured."""
        return self.data.holds_out and self.trainer.get("limit_val_batches") != 0

    @property
    def batches_per_step(self) -> int:
        return int(self.trainer.get("accumulate_grad_batches") or 1)

    @property
    def task(self) -> Task:
        """What is learned; the data say it."""
        return _TASKS[task_named(self.data)]

    def loader(self, packed: Packed, rank: int = 0, origin: Origin = FROM_THE_START) -> OrderedLoader:
        """The training batches of one rank. Raises ValueError when the data do not fill one step."""
        return self.task.loader(self, packed, rank, origin)

    def held_out(self, packed: Packed) -> list[Any]:
        """Batches for the eval loss. Raises ValueError where there is none."""
        return self.task.held_out(self, packed) if self.evaluates else []

    def identity(self) -> dict[str, Any]:
        """The settings that decide weights and steps, as plain values; the others may change when a run goes on."""
        parts = {name: plain(getattr(self, name)) for name, what in decisions(type(self)).items() if what in _PLANNED}
        del parts["branch_from"]  # the record's entry of the parent says more
        if self.branch_from is None:
            del parts["branch"]
        given = deciding(self.trainer)
        trainer = {key: plain(value) for key, value in given.items() if key not in {"_target_", *FREE}}
        if self.devices > 1:  # each reads a batch of its own
            trainer["devices"] = self.devices
        return {**parts, "weights": self.checkpoint.weights.value, "trainer": trainer, "seed": self.seed}
