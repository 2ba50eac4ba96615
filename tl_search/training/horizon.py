"""How long a plan's run is, in steps and epochs: counted from the packed text, or estimated from a sample of it."""

import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.plane.horizon import Horizon
from tl_search.plane.schedule import Schedule, warning
from tl_search.runs.record import RunRecord
from tl_search.runs.target import Start
from tl_search.text.corpus import Corpus
from tl_search.training.data import FROM_THE_START, Origin, count_blocks, limited_steps, steps_in_epoch
from tl_search.training.estimate import vocabulary
from tl_search.training.optim import Phase, phases_of
from tl_search.training.packing import PackedText
from tl_search.training.timeline import Timeline
from tl_search.training.tokens import rows
from tl_search.training.trainer import last_step

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan

SAMPLE = 200  # documents that an estimate reads
MOST_EPOCHS = 100_000  # each ends with a checkpoint; more is surely a mistake, and would fill memory and disk


@dataclass(frozen=True)
class Epoch:
    """One pass over the training text.

    Args:
        steps: Optimizer steps; None when unknown.
        vocabulary: Number of tokens of the tokenizer; None if it was not built.
        estimate: How the number was estimated, or why there is none; None when it is exact.
    """

    steps: int | None
    vocabulary: int | None
    estimate: str | None = None


def horizon_of(plan: "TrainingPlan", steps_per_epoch: int | None, begins: int = 0) -> Horizon:
    """The run's last step and the ends of its epochs; an epoch of unknown length counts as long as the run.

    `begins` is as in `last_step`.

    Raises:
        ValueError: the run's length is given in epochs, whose length is unknown; or it has absurdly many epochs.
    """
    if steps_per_epoch is None:
        steps = plan.trainer.get("max_steps") or -1
        if steps < 1:
            raise ValueError("trainer.max_steps: must be given, since the length of an epoch is unknown")
        return Horizon(steps)
    total = last_step(plan.trainer, steps_per_epoch, begins)
    if total > MOST_EPOCHS * steps_per_epoch:
        raise ValueError(
            f"trainer.max_steps: must be at most {MOST_EPOCHS} epochs of {steps_per_epoch} steps, got {total} steps"
        )
    return Horizon(total, tuple(range(begins + steps_per_epoch, total, steps_per_epoch)))


def scheduled_steps(schedule: Schedule, horizon: Horizon) -> tuple[int, ...]:
    """The schedule's steps in a run. Warns when they are unusual; raises ValueError when the schedule does not fit."""
    try:
        odd, steps = warning(schedule, horizon), schedule.steps(horizon)
    except ValueError as error:
        raise ValueError(f"schedule.{error}") from error
    if odd is not None:
        warnings.warn(f"schedule.{odd}", stacklevel=2)
    return steps


def timeline_of(
    plan: "TrainingPlan",
    horizon: Horizon,
    steps_per_epoch: int,
    phases: tuple[Phase, ...] = (),
    origin: Origin = FROM_THE_START,
) -> Timeline:
    """What holds at each step of a plan's run; without phases the learning rate follows one curve."""
    phases, blocks = phases or phases_of((), horizon.total), _blocks_per_step(plan)
    return Timeline(horizon, steps_per_epoch, blocks, plan.model.context, plan.curriculum, phases, origin)


def measure_epoch(plan: "TrainingPlan") -> Epoch:
    """The plan's epoch, from its packed text; of a corpus that would have to be downloaded, an estimate from a sample.

    Writes only to a cache that exists already. Raises ValueError when the text does not fill one step.
    """
    if plan.data.corpus.remote is not None:
        return _estimated(plan, plan.data.corpus)
    run = Start.parse(plan.resume).run
    record = RunRecord.read(run) if run else None
    packed = packed_text(plan, plan.cache, recorded=record.data if record else None)
    return Epoch(plan.loader(packed).steps, rows(packed.tokenizer))


def _estimated(plan: "TrainingPlan", corpus: Corpus) -> Epoch:
    try:
        documents, total = corpus.glimpse(SAMPLE)
    except OSError as error:  # without network, the rest can still be told
        return Epoch(None, None, f"{corpus.remote} does not answer: {' '.join(str(error).split())[:120]}")
    if not documents:
        raise ValueError("data.corpus: must hold text, got no document")
    tokenizer = plan.tokenizer.build(iter(documents))
    known = vocabulary(plan.tokenizer) or rows(tokenizer)  # trained on a sample, it has too few tokens
    if total is None:
        return Epoch(None, known, f"nobody says how many documents {corpus.remote} has")
    encoded = tokenizer.backend_tokenizer.encode_batch_fast(documents, add_special_tokens=False)
    per_document = sum(len(encoding.ids) + 1 for encoding in encoded) / len(documents)  # + 1: the end-of-text token
    tokens = int(per_document * total * (1 - plan.data.validation_share))
    blocks = count_blocks(tokens, plan.model.context)
    steps = steps_in_epoch(blocks, _blocks_per_step(plan), plan.data.drop_last)
    steps = limited_steps(max(1, steps), plan.batches_per_step, plan.trainer.get("limit_train_batches"))
    return Epoch(steps, known, f"from the first {len(documents)} of {total} documents")


def _blocks_per_step(plan: "TrainingPlan") -> int:
    return plan.data.batch_size * plan.batches_per_step * plan.devices


def packed_text(plan: "TrainingPlan", *caches: Path | None, recorded: Mapping[str, str] | None = None) -> PackedText:
    """The plan's tokens, from the first of the caches that is there; where none is, nothing is left on disk.

    `recorded` is as in `Text.pack`.
    """
    there = (cache for cache in caches if cache is not None and cache.is_dir())
    with tempfile.TemporaryDirectory() as temporary:  # what is mapped into memory stays readable without its name
        return plan.data.pack(plan.tokenizer, next(there, Path(temporary)), recorded, plan.model.context)
