"""A training run from its parts: wired here, and nowhere else."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.checkpoints.index import read_index
from tl_search.plane.curriculum import Curriculum
from tl_search.plane.schedule import Horizon, Schedule
from tl_search.store.atomic import read_json, sweep_litter, write_json
from tl_search.store.keys import digest
from tl_search.store.lock import RunLock
from tl_search.training.architecture import Pythia
from tl_search.training.data import Text, stream
from tl_search.training.foreign import TorchOptimizer, construct
from tl_search.training.identity import claim, plan_identity
from tl_search.training.interrupts import Interrupts, Stopped
from tl_search.training.losses import check_terms
from tl_search.training.optim import AdamW
from tl_search.training.packing import PackedText
from tl_search.training.quiet import quiet
from tl_search.training.resume import newest_state
from tl_search.training.revisions import RevisionWriter, write_main
from tl_search.training.tokens import TokenizerConfig
from tl_search.training.trainer import check_trainer, make_trainer

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
        save_interval: Steps between training states: what a kill can cost at most.
        eval_interval: Steps between eval losses; every revision gets one besides.
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
    save_interval: int = 100
    eval_interval: int = 100
    cache: Path | None = None

    def __post_init__(self) -> None:
        for name in ("save_interval", "eval_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be >= 1, got {getattr(self, name)}")
        check_terms(self.curriculum)
        check_trainer(self.trainer)
        for room in ("callbacks", "logger"):
            for name, entry in getattr(self, room).items():
                if isinstance(entry, str | bool | int | float | list):
                    raise ValueError(f"{room}.{name}: must be a node with its _target_, or null, got {entry!r}")

    @property
    def batches_per_step(self) -> int:
        return int(self.trainer.get("accumulate_grad_batches") or 1)

    def total(self, steps_per_epoch: int) -> int:
        """The run's last step: the lower of `max_steps` and `max_epochs`, where both are given."""
        steps, epochs = self.trainer.get("max_steps") or -1, self.trainer.get("max_epochs") or -1
        return min(limit for limit in (steps, epochs * steps_per_epoch) if limit > 0)

    def identity(self) -> dict[str, Any]:
        """What decides the weights; the rest may change when a run goes on."""
        names = ("model", "tokenizer", "data", "schedule", "curriculum", "optimizer")
        return plan_identity({name: getattr(self, name) for name in names}, self.trainer, self.seed)


def fit(plan: TrainingPlan, folder: Path) -> None:
    """Train in `folder`, from the newest whole state if there is one; a finished run is left as it is.

    Raises:
        ValueError: the folder holds a run of another plan, or only damaged states.
        DivergedError: the loss, or a weight, is not finite.
        LockedError: another process trains there.
        KeyboardInterrupt, SystemExit: the run was told to stop; its state is on disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _ownership(folder):
        claim(folder, plan.identity())
        if (folder / "DONE.json").exists():
            return
        sweep_litter(folder)
        with quiet():
            from tl_search.training.datamodule import TextData

            packed = plan.data.pack(plan.tokenizer, plan.cache or folder / "cache")
            packed.tokenizer.model_max_length = plan.model.context
            data = TextData(plan.data, packed, plan.model.context, plan.batches_per_step, plan.seed)
            # only text that can be trained on is the run's: too little of it may be mended, and the run begun again
            claim(folder, plan.identity(), data={"corpus": packed.corpus_digest, "tokenizer": packed.tokenizer_digest})
            total = _train(plan, packed, data, folder)
        write_main(folder, total)
        eval_loss = read_index(folder)[-1]["eval_loss"]
        write_json(folder / "DONE.json", {"step": total, "eval_loss": eval_loss, "digest": digest(plan.identity())})


def _train(plan: TrainingPlan, packed: PackedText, data: "TextData", folder: Path) -> int:
    """Train to the last step, and say which it was."""
    from tl_search.training.callbacks.batch_seed import BatchSeed
    from tl_search.training.callbacks.evaluation import Evaluation
    from tl_search.training.callbacks.metrics import Metrics
    from tl_search.training.callbacks.resume_state import ResumeState
    from tl_search.training.callbacks.scheduled_checkpoint import ScheduledCheckpoint
    from tl_search.training.module import CausalLM

    total = plan.total(data.steps_per_epoch)
    epoch_ends = tuple(range(data.steps_per_epoch, total, data.steps_per_epoch))
    steps = plan.schedule.steps(Horizon(total, epoch_ends))
    state, start = newest_state(folder) or (None, 0)
    if start == total:
        return total

    optimizer = TorchOptimizer(plan.optimizer) if isinstance(plan.optimizer, Mapping) else plan.optimizer
    model = plan.model.build(packed.tokenizer, stream(plan.seed, "weights"))
    module = CausalLM(model, plan.curriculum, optimizer, total)
    writer = RevisionWriter(folder, packed.tokenizer, data.steps_per_epoch, data.tokens_per_step)
    evaluation = Evaluation(data.held_out, {*steps, *range(0, total, plan.eval_interval)})
    with Interrupts() as interrupts:
        callbacks = [
            BatchSeed(plan.seed),
            evaluation,
            *(_callback(entry) for entry in plan.callbacks.values() if entry is not None),
            Metrics(int(plan.trainer.get("log_every_n_steps") or 10), data.tokens_per_step),
            ScheduledCheckpoint(steps, writer, evaluation.at),
            ResumeState(folder, plan.save_interval, total, writer, interrupts),
        ]
        loggers = [_logger(entry, folder, start) for entry in plan.logger.values() if entry is not None]
        trainer = make_trainer(plan.trainer, folder, total, callbacks, loggers)
        try:
            trainer.fit(module, datamodule=data, ckpt_path=state, weights_only=True)
        except (Stopped, SystemExit) as error:
            if interrupts.received is not None:
                interrupts.end()
            if isinstance(error.__context__, KeyboardInterrupt):  # before we listened; Lightning says exit code 1
                raise error.__context__ from None
            raise
    return total


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
