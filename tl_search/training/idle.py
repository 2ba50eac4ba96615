"""Finds settings that can never have an effect in a run of a given length, so that they are told before it starts."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from tl_search.training.callback_checks import kind_of, setting_of

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan

# Arguments of Lightning's Trainer that only matter to loops which a run does not use, and what does that work here.
_UNUSED = {
    "val_check_interval": "eval_interval says when the eval loss is measured",
    "check_val_every_n_epoch": "eval_interval says when the eval loss is measured",
    "inference_mode": "a training predicts nothing",
    "reload_dataloaders_every_n_epochs": "each epoch has an order of its own anyway",
}


def idle(plan: "TrainingPlan", total: int, steps: Collection[int]) -> list[str]:
    """One sentence for each setting that has no effect.

    Args:
        plan: The training.
        total: Its last step.
        steps: Its steps with a revision.
    """
    found = [
        f"trainer.{name} has no effect: {instead}"
        for name, instead in _UNUSED.items()
        if plan.trainer.get(name) is not None
    ]
    for name, stage in plan.curriculum.stages.items():
        if stage.first >= total:
            found.append(
                f"curriculum.stages.{name}: starts at step {stage.first}, but the run ends at step {total}, so the "
                "stage never begins"
            )
    warmup = getattr(plan.optimizer, "warmup_steps", 0)
    if warmup > total:
        found.append(
            f"optimizer.warmup_steps: is {warmup}, but the run ends at step {total}, so the learning rate does "
            "not reach optimizer.lr"
        )
    every = plan.checkpoint.every_n_scheduled
    if every is not None and not plan.checkpoint.for_good(steps):
        found.append(
            f"checkpoint.every_n_scheduled: is {every}, more than the scheduled steps, so no state is kept for good"
        )
    measured = len({*steps, *range(0, total, plan.eval_interval)} - {0})
    for name, entry in plan.callbacks.items():
        interval = setting_of(entry, "every")
        if isinstance(interval, int) and interval > total:
            found.append(f"callbacks.{name}.every: is {interval}, but the run ends at step {total}")
        if kind_of(entry) != "EarlyStopping" or not str(setting_of(entry, "monitor")).startswith("eval/"):
            continue
        patience = setting_of(entry, "patience")
        patience = 3 if patience is None else patience
        limits = (setting_of(entry, "stopping_threshold"), setting_of(entry, "divergence_threshold"))
        if patience >= measured and limits == (None, None):
            found.append(
                f"callbacks.{name}.patience: is {patience}, but the eval loss is measured {measured} times after step "
                "0, so early stopping never acts"
            )
    return found
