"""A training cut down to a few steps, to see whether all of it works: `trainer.fast_dev_run` and `debug`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tl_search.plane.schedules.every import EverySchedule
from tl_search.training.terms import fitted

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan

STEPS = 3  # of fast_dev_run=true
_DEBUG_STEPS, _DEBUG_EVERY, _BATCH = 4, 2, 2


def steps_of(plan: "TrainingPlan") -> int:
    """The steps of a plan that is only tried; 0 for one that is carried out."""
    asked = plan.trainer.get("fast_dev_run") or 0
    return (STEPS if asked is True else int(asked)) or _DEBUG_STEPS * plan.debug


def rehearsed(plan: "TrainingPlan") -> "TrainingPlan":
    """What is carried out of a plan that is only tried; any other plan as it is.

    A few steps are made with the beginning of the text and evaluated; no logger hears of them. `fast_dev_run` leaves
    model and batches as large as they are, and writes the first and the last model, so that there is something to
    search. `debug` makes them small, where the model's family has a method `small`, and writes one more.
    """
    steps = steps_of(plan)
    if not steps:
        return plan
    limits = {"fast_dev_run", "limit_train_batches", "limit_val_batches"}
    trainer: dict[str, Any] = {key: _nowhere(value) for key, value in plan.trainer.items() if key not in limits}
    asked = trainer.get("max_steps") or -1
    trainer["max_steps"] = steps = min(steps, asked) if asked > 0 else steps
    model, data = plan.model, plan.data
    if plan.debug:
        small = getattr(model, "small", None)
        model = model if small is None else small()
        data = replace(data, batch_size=min(data.batch_size, _BATCH))
    needed = (model.context + 1) * data.batch_size * plan.batches_per_step * plan.devices * steps
    return replace(
        plan,
        model=model,
        curriculum=fitted(plan.task.fitted(plan.curriculum, model.context), getattr(model, "blocks", None)),
        data=data.excerpt(needed, steps, plan.evaluates),
        schedule=EverySchedule(interval=_DEBUG_EVERY if plan.debug else steps),
        eval_interval=steps,
        trainer=trainer,
        logger={},
        cache=None,
        debug=True,
    )


def _nowhere(part: Any) -> Any:
    """A part of the Trainer without the folder of its own in which it writes, such as that of a profiler."""
    return {key: value for key, value in part.items() if key != "dirpath"} if isinstance(part, Mapping) else part
