"""A training run from its parts: wired here, and nowhere else."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.checkpoints.index import read_index
from tl_search.plane.curriculum import Curriculum
from tl_search.plane.schedule import Schedule
from tl_search.store.atomic import read_json, sweep_litter, write_json
from tl_search.store.keys import digest
from tl_search.store.lock import RunLock
from tl_search.training.architecture import Pythia
from tl_search.training.callbacks.best import Best
from tl_search.training.compiling import compiled
from tl_search.training.data import Text, stream
from tl_search.training.extend import LrPolicy, extension, is_done, last_step, phases
from tl_search.training.foreign import TorchOptimizer, construct
from tl_search.training.horizon import horizon_of, scheduled_steps
from tl_search.training.identity import claim, plan_identity
from tl_search.training.interrupts import Interrupts, Stopped
from tl_search.training.losses import check_terms
from tl_search.training.optim import AdamW
from tl_search.training.packing import PackedText
from tl_search.training.quiet import quiet
from tl_search.training.ranks import launch
from tl_search.training.retention import Checkpointing, Weights
from tl_search.training.revisions import RevisionWriter, settings, write_main
from tl_search.training.rewind import AUTO, Target, check_start, forget_rewinding, starting_state
from tl_search.training.saving import BackgroundWriter
from tl_search.training.tokens import TokenizerConfig
from tl_search.training.trainer import check_trainer, device_count, make_trainer

if TYPE_CHECKING:
    from lightning.pytorch import Callback
    from lightning.pytorch.loggers import Logger

    from tl_search.training.datamodule import TextData


@dataclass(frozen=True)
class TrainingPlan:
    """The parts of a training run.

    Args:
        model: Its shape.
        tokenizer: How text becomes tokens.
        data: What it reads.
        schedule: At which steps a revision is written.
        curriculum: Which losses count when.
        optimizer: Ours, or a mapping with the `_target_` of one of torch's.
        trainer: Arguments of Lightning's Trainer; `max_steps`, or `max_epochs`, says how long the run is.
        callbacks: Name → one of ours, a Lightning callback, a mapping with the `_target_` of one, or None.
        logger: Name → likewise.
        seed: Of weights, order and dropout, each with its own stream.
        checkpoint: Which full states are kept, and how they are written.
        eval_interval: Steps between eval losses; every revision gets one besides.
        ema_decay: Of an exponential moving average of the weights, in (0, 1); None keeps no average.
        compile: Whether torch.compile makes the model's steps faster.
        resume: `auto` goes on from the newest whole state; `best`, or the path of a run or of one of its states, sets
            the run back to that state. Only with a path may the length and the schedule differ from the run's.
        lr_policy: What the learning rate does when the run's length changes.
        cache: Folder for tokens, which several runs may share; None keeps them in the run.
    """

    model: Pythia
    tokenizer: TokenizerConfig
    data: Text
    schedule: Schedule
    curriculum: Curriculum
    optimizer: AdamW | Mapping[str, Any]
    trainer: Mapping[str, Any]
    callbacks: Mapping[str, Any] = field(default_factory=dict)
    logger: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    checkpoint: Checkpointing = field(default_factory=Checkpointing)
    eval_interval: int = 500
    ema_decay: float | None = None
    compile: bool = False
    resume: str = AUTO
    lr_policy: LrPolicy = LrPolicy.keep
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.eval_interval < 1:
            raise ValueError(f"eval_interval: must be >= 1, got {self.eval_interval}")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ValueError(f"ema_decay: must be above 0 and below 1, or null, got {self.ema_decay}")
        if self.checkpoint.weights is Weights.ema and self.ema_decay is None:
            raise ValueError("ema_decay: must be given, since checkpoint.weights=ema, got null")
        check_terms(self.curriculum)
        check_trainer(self.trainer)
        for room in ("callbacks", "logger"):
            for name, entry in getattr(self, room).items():
                if isinstance(entry, str | bool | int | float | list):
                    raise ValueError(f"{room}.{name}: must be a node with its _target_, or null, got {entry!r}")

    @property
    def devices(self) -> int:
        return device_count(self.trainer)

    @property
    def batches_per_step(self) -> int:
        return int(self.trainer.get("accumulate_grad_batches") or 1)

    def total(self, steps_per_epoch: int) -> int:
        """The run's last step: the lower of `max_steps` and `max_epochs`, where both are given."""
        return last_step(self.trainer, steps_per_epoch)

    def identity(self) -> dict[str, Any]:
        """What decides the weights; the rest may change when a run goes on."""
        names = ("model", "tokenizer", "data", "schedule", "curriculum", "optimizer", "ema_decay", "compile")
        parts = {name: getattr(self, name) for name in names} | {"weights": self.checkpoint.weights}
        return plan_identity(parts, self.trainer, self.seed)


def fit(plan: TrainingPlan, folder: Path, accepted: Callable[[], None] = lambda: None) -> None:
    """Train in `folder`, from the state that `plan.resume` names; a finished run is left as it is.

    Args:
        plan: What is trained.
        folder: The run directory.
        accepted: Called once plan, text and state are known to fit, before anything of the run is changed.

    Raises:
        ValueError: the folder holds a run of another plan, or only damaged states.
        DivergedError: the loss, or a weight, is not finite.
        LockedError: another process trains there.
        KeyboardInterrupt, SystemExit: the run was told to stop; its state is on disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _ownership(folder):
        target = Target.parse(plan.resume)
        if target.run is not None:
            check_start(folder, target)
        change = extension(folder, plan.identity()) if target.run is not None else None
        known = change.before if change else plan.identity()
        claim(folder, known, weights=plan.checkpoint.weights.value)
        if is_done(folder, known) and not change and not target.state:
            return accepted()
        sweep_litter(folder)
        with quiet():
            packed = plan.data.pack(plan.tokenizer, plan.cache or folder / "cache")
            packed.tokenizer.model_max_length = plan.model.context
            data = _data(plan, packed)
            # only text that can be trained on is the run's: too little of it may be mended, and the run begun again
            claim(folder, known, data={"corpus": packed.corpus_digest, "tokenizer": packed.tokenizer_digest})
            accepted()
            total = plan.total(data.steps_per_epoch)
            state, start = starting_state(folder, target) or (None, 0)
            if change:
                change.record(folder, start, data.steps_per_epoch, plan.lr_policy)
            if start < total and plan.devices > 1:
                launch(partial(_train, plan, packed, folder, state, start), plan.devices)
            elif start < total:
                _train(plan, packed, folder, state, start)
        write_main(folder, total)
        eval_loss = next(line["eval_loss"] for line in read_index(folder) if line["name"] == f"step{total}")
        forget_rewinding(folder)
        write_json(folder / "DONE.json", {"step": total, "eval_loss": eval_loss, "digest": digest(plan.identity())})


def _data(plan: TrainingPlan, packed: PackedText, rank: int = 0) -> "TextData":
    from tl_search.training.datamodule import TextData

    return TextData(plan.data, packed, plan.model.context, plan.batches_per_step, plan.seed, rank, plan.devices)


def _train(plan: TrainingPlan, packed: PackedText, folder: Path, state: Path | None, start: int, rank: int = 0) -> None:
    """Train from a state, which is that of step `start`, to the last step; with several devices, as one rank."""
    from tl_search.training.callbacks.batch_seed import BatchSeed
    from tl_search.training.callbacks.best_checkpoint import BestCheckpoint
    from tl_search.training.callbacks.ema import Ema
    from tl_search.training.callbacks.evaluation import Evaluation
    from tl_search.training.callbacks.measurements import Measurements
    from tl_search.training.callbacks.metrics import Metrics
    from tl_search.training.callbacks.resume_state import ResumeState
    from tl_search.training.callbacks.scheduled_checkpoint import ScheduledCheckpoint
    from tl_search.training.module import CausalLM

    data = _data(plan, packed, rank)
    horizon = horizon_of(plan, data.steps_per_epoch)
    total, steps = horizon.total, {*scheduled_steps(plan.schedule, horizon)}
    steps |= {line["step"] for line in read_index(folder) if start < line["step"] <= total}  # of a run set back
    optimizer = TorchOptimizer(plan.optimizer) if isinstance(plan.optimizer, Mapping) else plan.optimizer
    model = plan.model.build(packed.tokenizer, stream(plan.seed, "weights"))
    module = CausalLM(model, plan.curriculum, optimizer, phases(folder, total))
    averaged = plan.checkpoint.weights is Weights.ema
    evaluation = Evaluation(data.held_out, {*steps, *range(0, total, plan.eval_interval)}, averaged)
    with (
        quiet(),
        compiled(model, plan.compile),
        Interrupts() as interrupts,
        BackgroundWriter(plan.checkpoint.asynchronous) as saves,
    ):
        sizes = (data.steps_per_epoch, data.tokens_per_step)
        writer = RevisionWriter(folder, packed.tokenizer, *sizes, steps, saves, settings(folder, plan.identity()))
        callbacks = [
            Measurements(),
            BatchSeed(plan.seed),
            *([] if plan.ema_decay is None else [Ema(plan.ema_decay)]),
            evaluation,
            ScheduledCheckpoint(writer, averaged),  # Lightning moves it and its like behind all others, in this order
            *(
                BestCheckpoint(entry, name, writer, averaged) if isinstance(entry, Best) else _callback(entry)
                for name, entry in plan.callbacks.items()
                if entry is not None
            ),
            Metrics(int(plan.trainer.get("log_every_n_steps") or 10), data.tokens_per_step),
            ResumeState(plan.checkpoint, total, writer, interrupts),
        ]
        loggers = [_logger(entry, folder, start) for entry in plan.logger.values() if entry is not None]
        trainer = make_trainer(plan.trainer, folder, total, callbacks, loggers, saves)
        try:
            trainer.fit(module, datamodule=data, ckpt_path=state, weights_only=True)
        except (Stopped, SystemExit) as error:
            saves.drain()
            if interrupts.received is not None:
                interrupts.end()
            if isinstance(error.__context__, KeyboardInterrupt):  # before we listened; Lightning says exit code 1
                raise error.__context__ from None
            raise


def _callback(entry: Any) -> "Callback":
    if hasattr(entry, "start"):
        return entry.start()
    return construct(entry) if isinstance(entry, Mapping) else entry


def _logger(entry: Any, folder: Path, step: int) -> "Logger":
    if hasattr(entry, "start"):
        return entry.start(folder, step)
    if isinstance(entry, Mapping):
        return construct({"save_dir": str(folder), **entry})
    return entry


@contextmanager
def _ownership(folder: Path) -> Iterator[None]:
    """The run's lock, unless this process holds it already: a command may own the folder from its first line on."""
    lock = RunLock(folder)
    held = lock.claim.exists() and read_json(lock.claim)
    mine = held and all(held[key] == lock.owner[key] for key in ("host", "pid", "started"))
    with nullcontext() if mine else lock:
        yield
