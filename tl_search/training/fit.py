"""Builds a training run from its parts and trains it."""

import shutil
import sys
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.errors.kinds import DivergedError, PartFailed
from tl_search.runs.finish import check_finished, finish
from tl_search.runs.identity import claim
from tl_search.runs.index import read_index, restore_index
from tl_search.runs.layout import RunPaths
from tl_search.runs.record import Diverged, RunRecord, check_version
from tl_search.runs.states import cut_off, whole_state
from tl_search.runs.target import Start
from tl_search.store.atomic import sweep_litter
from tl_search.store.lock import RunLock
from tl_search.training.callbacks.best import Best
from tl_search.training.compiling import compiled
from tl_search.training.context import RunContext
from tl_search.training.entries import callback_of, loggers_of, optimizer_of
from tl_search.training.extend import check_length, check_same_text, extension, is_done, phases
from tl_search.training.first_state import write_first_state
from tl_search.training.full_state import restoring
from tl_search.training.horizon import horizon_of, scheduled_steps, timeline_of
from tl_search.training.idle import idle
from tl_search.training.interrupts import Interrupts, Stopped
from tl_search.training.lineage import Lineage
from tl_search.training.memory import enough_memory
from tl_search.training.ordered import stream
from tl_search.training.own_parts import answering, is_ours
from tl_search.training.plan import TrainingPlan
from tl_search.training.quiet import quiet
from tl_search.training.ranks import start_ranks
from tl_search.training.rehearsal import rehearsed
from tl_search.training.retention import RevisionWeights
from tl_search.training.revisions import settings
from tl_search.training.saving import BackgroundWriter
from tl_search.training.start import check_start, restore_bests, settle, starting_state
from tl_search.training.state_fits import BRANCH, check_fits
from tl_search.training.task import Packed
from tl_search.training.timeline import Timeline
from tl_search.training.trainer import EndedEarly, check_end, make_trainer
from tl_search.training.trial import check_parts

if TYPE_CHECKING:
    from lightning.pytorch import Callback, Trainer
    from lightning.pytorch.loggers import Logger


def fit(plan: TrainingPlan, folder: Path, accepted: Callable[[], None] = lambda: None) -> None:
    """Train in `folder`, from the state that `plan.resume` names; a finished run is only checked.

    Of a plan that is only tried (`debug`, `trainer.fast_dev_run`), a few steps are made; the folder is the caller's to
    remove.

    Args:
        accepted: Called when plan, text and state are known to fit, before anything of the run is changed.

    Raises:
        ValueError: the folder holds a run of another plan, only damaged states, or a damaged last model.
        DivergedError: the loss, or a weight, is not finite.
        LockedError: another process trains there.
        KeyboardInterrupt, SystemExit: the run was told to stop, and its state is on disk. After the last step the run
            is finished before this is raised.
    """
    with Interrupts() as interrupts:
        interrupts.listen()
        _fit(rehearsed(plan), folder, accepted, interrupts)
    if interrupts.received is not None:
        interrupts.end()


def _fit(plan: TrainingPlan, folder: Path, accepted: Callable[[], None], interrupts: Interrupts) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with _ownership(folder):
        origin, identity = Start.parse(plan.resume), plan.identity()
        reached = check_start(folder, origin) if origin.run is not None else 0
        change = extension(folder, identity) if origin.run is not None else None
        known = change.before if change else identity
        claim(folder, known, weights=plan.checkpoint.weights.value)
        restore_index(folder)
        if is_done(folder, known) and not change and not origin.state:
            check_same_text(folder, plan)
            restore_bests(folder)
            check_finished(folder)
            return accepted()
        with quiet():
            lineage, record = Lineage.of(plan, folder), RunRecord.read(folder)
            plan, order = lineage.plan, lineage.origin
            check_version(folder, record.versions if record else {})
            check_parts(plan, folder, reached)
            cache, recorded = plan.cache or RunPaths(folder).cache, record.data if record else None
            packed = plan.data.pack(plan.tokenizer, cache, recorded, plan.model.context)
            packed.tokenizer.model_max_length = plan.model.context
            steps_per_epoch = plan.loader(packed).steps
            plan.held_out(packed)  # raises an error where there is too little text
            horizon = horizon_of(plan, steps_per_epoch, order.step)
            lineage.check(horizon.total, packed.identity)
            if change:
                check_length(folder, plan.trainer, horizon.total, reached)
            steps = scheduled_steps(plan.schedule, horizon)
            # recorded only now: with too little text the run has failed above, and may be started with other text
            claim(folder, known, data=packed.identity)
            if origin.run is not None:
                check_fits(whole_state(folder, origin.state)[0], plan, packed.tokenizer)
            elif lineage.source is not None:
                check_fits(lineage.source.file, plan, packed.tokenizer, BRANCH)
            accepted()
            packed.tell()
            sweep_litter(folder)
            lineage.record(folder, horizon.total)
            timeline = timeline_of(plan, horizon, steps_per_epoch, phases(folder, horizon.total), order)
            if lineage.source is not None:
                write_first_state(plan, packed, folder, timeline, lineage.source)
            state, start = starting_state(folder, origin) or (None, 0)
            if state is not None and origin.run is None:
                check_fits(state, plan, packed.tokenizer)
            if change:
                change.record(folder, start, steps_per_epoch, plan.lr_policy, order.step)
            cut_off(folder, horizon.total)
            # a run that was set back writes the later revisions of its index once more
            due = {*steps, *lineage.steps(), *(line.step for line in read_index(folder) if line.step > start)}
            timeline = replace(timeline, phases=phases(folder, horizon.total))
            if start < horizon.total and not plan.debug:  # a few steps are too few for most settings to act
                for sentence in idle(plan, horizon.total, steps):
                    warnings.warn(sentence, stacklevel=2)
            train = partial(_train, plan, packed, folder, timeline, state, start, due)
            end, early = horizon.total, None
            RunPaths(folder).diverged.unlink(missing_ok=True)
            try:
                with _nothing_left(folder, begins=state is None):
                    if start < end and plan.devices > 1:
                        interrupts.received = start_ranks(train, plan.devices)
                    elif start < end:
                        train(interrupts=interrupts)
                    elif state is not None:
                        settle(plan, folder, state, due)
            except EndedEarly as told:
                print(told, file=sys.stderr, flush=True)
                end, early = told.step, told.reason
            except DivergedError as error:
                Diverged(error.step, str(error)).write(folder)
                raise
        interrupts.listen("finishing the run")
        finish(folder, identity, end, early)


def _train(
    plan: TrainingPlan,
    packed: Packed,
    folder: Path,
    timeline: Timeline,
    state: Path | None,
    start: int,
    due: Collection[int],
    rank: int = 0,
    interrupts: Interrupts | None = None,
) -> None:
    """Train from the state of step `start` to the last step; with several devices, as one rank of them.

    Args:
        state: None begins anew.
        start: Completed steps.
        interrupts: The run's; None makes one, for a rank in its own process, which gets signals itself.

    Raises:
        EndedEarly: a callback has ended the run, which counts as done.
    """
    from lightning.pytorch.callbacks import EarlyStopping, LambdaCallback

    from tl_search.training.callbacks.batch_seed import BatchSeed
    from tl_search.training.callbacks.best_checkpoint import BestCheckpoint
    from tl_search.training.callbacks.curriculum_stages import CurriculumStages
    from tl_search.training.callbacks.curves import TrainingCurves
    from tl_search.training.callbacks.early_end import EarlyEnd
    from tl_search.training.callbacks.ema import Ema
    from tl_search.training.callbacks.evaluation import Evaluation
    from tl_search.training.callbacks.measurements import Measurements
    from tl_search.training.callbacks.resume_state import ResumeState
    from tl_search.training.callbacks.scheduled_checkpoint import ScheduledCheckpoint
    from tl_search.training.callbacks.settings_card import SettingsCard
    from tl_search.training.callbacks.unmoved import UnmovedWeights

    total, steps, every = timeline.total, {*due}, int(plan.trainer.get("log_every_n_steps") or 10)
    asked = {name: entry for name, entry in plan.callbacks.items() if entry is not None}
    bests = {name: entry for name, entry in asked.items() if isinstance(entry, Best)}
    others = {name: callback_of(name, entry) for name, entry in asked.items() if not isinstance(entry, Best)}
    with enough_memory("model"):
        model = plan.model.build(packed.tokenizer, stream(plan.seed, "weights"))
    module = plan.task.module(model, timeline, optimizer_of(plan.optimizer))
    averaged = plan.checkpoint.weights is RevisionWeights.ema
    measured = {*steps, *range(0, total, plan.eval_interval)}
    evaluation = Evaluation(plan.held_out(packed), measured, averaged)
    with (
        quiet(),
        compiled(model, plan.compile),
        nullcontext() if interrupts else RunLock(folder).joined(),
        Interrupts(speaks=rank == 0) if interrupts is None else nullcontext(interrupts) as signals,
        BackgroundWriter(plan.checkpoint.asynchronous) as saves,
    ):
        said, record = settings(folder, plan.identity()), RunRecord.read(folder)
        run = RunContext(folder, timeline, frozenset(steps), averaged, packed.tokenizer, said, saves, signals)
        scheduled = ScheduledCheckpoint(run, [entry.monitor for entry in bests.values()])
        callbacks = [
            # first of all, since the others may take long: Lightning's own handlers end the run without saving
            LambdaCallback(
                on_train_start=lambda *_: signals.listen(
                    f"{'ending' if plan.debug else 'saving'} at the end of this step"
                ),
                on_train_end=lambda *_: signals.listen("finishing the run, whose last step is done"),
            ),
            CurriculumStages(timeline, every),
            SettingsCard(said, record.tags if record else ()),
            Measurements(),
            BatchSeed(plan.seed),
            *([] if plan.ema_decay is None else [Ema(plan.ema_decay)]),
            UnmovedWeights(measured, min(getattr(plan.optimizer, "warmup_steps", 0), total)),
            evaluation,
            *plan.task.measures(plan, packed, measured, averaged),
            scheduled,  # Lightning moves all Checkpoint callbacks to the end, in this order
            *(others.get(name) or BestCheckpoint(bests[name], name, run) for name in asked),
            *([EarlyEnd(scheduled)] if any(isinstance(found, EarlyStopping) for found in others.values()) else []),
            TrainingCurves(every, timeline),
            ResumeState(plan.checkpoint, run),
        ]
        done = -1 if state is None else start
        loggers = loggers_of(plan.logger, folder, done)
        trainer = make_trainer(plan.trainer, folder, total, callbacks, [*loggers.values()], saves)
        try:
            with restoring(state), answering(lambda: _parts(plan, others, loggers, trainer), trainer, start, folder):
                trainer.fit(module, plan.loader(packed, rank, timeline.origin), ckpt_path=state, weights_only=True)
            check_end(trainer, steps, total)
        except (Stopped, SystemExit) as error:
            signals.listen("finishing what is being saved")  # Lightning has restored the earlier handlers
            saves.drain()
            if signals.received is not None:
                signals.end()
            if isinstance(error.__context__, KeyboardInterrupt):  # before our handlers; Lightning exits with 1
                raise error.__context__ from None
            raise


def _parts(
    plan: TrainingPlan, callbacks: "dict[str, Callback]", loggers: "dict[str, Logger]", trainer: "Trainer"
) -> "list[tuple[str, object]]":
    """What was made of a run's settings, with its place in the config.

    An object that a program has put into the plan is not among it: what that raises, the program gets as it is.
    """
    made = [] if is_ours(plan.optimizer) else trainer.optimizers
    return [
        *((f"callbacks.{name}", part) for name, part in callbacks.items() if part is not plan.callbacks[name]),
        *((f"logger.{name}", part) for name, part in loggers.items() if part is not plan.logger[name]),
        *(("optimizer", part) for part in (plan.optimizer, *made)),
    ]


@contextmanager
def _nothing_left(folder: Path, begins: bool) -> Iterator[None]:
    """What a training that begins has written in the block is removed if it ends before its first step is done.

    Loggers make their files before a person's own callbacks have a word, and the first revision is that of step 0.
    """
    before = {*folder.iterdir()}
    try:
        yield
    except PartFailed as error:
        if begins and not error.begun:
            for entry in {*folder.iterdir()} - before:
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        raise


@contextmanager
def _ownership(folder: Path) -> Iterator[None]:
    """Holds the run's lock, unless this process has it already, as when a command has taken it before."""
    lock = RunLock(folder)
    with nullcontext() if lock.is_held_here() else lock:
        yield
