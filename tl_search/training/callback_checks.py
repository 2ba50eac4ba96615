"""Checks the callbacks that a config asks for, before anything heavy is loaded: each must be able to act."""

from collections.abc import Mapping
from typing import Any

from tl_search.errors.nearest import did_you_mean
from tl_search.training.callbacks.best import Best

_EVAL = ("eval/loss", "eval/perplexity")
_NO_EVAL = "data.validation_share=0 (or trainer.limit_val_batches=0)"

_AVERAGE = "whose average no revision would hold; ema_decay=0.999 keeps one, which checkpoint.weights=ema writes"
_BAR = "since callbacks.progress shows a run's progress"
_FUNCTION = "which needs a function, and a config can name none; a class of your own (plugins=[…]) can do the same"
# Callbacks of Lightning that never act in training by steps, or would make something else of a run than it says.
_REFUSED = {
    "Timer": "which also counts the time before a resume; to limit the time, send SIGUSR1: the run saves its state and "
    "ends",
    "BatchSizeFinder": "since data.batch_size is one of the settings by which a run is known",
    "LearningRateFinder": "since optimizer.lr is one of the settings by which a run is known",
    "StochasticWeightAveraging": _AVERAGE,
    "WeightAveraging": _AVERAGE,
    "EMAWeightAveraging": _AVERAGE,
    "BackboneFinetuning": "since the model has no backbone of its own",
    "ModelPruning": "since revisions would hold its masks in the place of the weights",
    "BasePredictionWriter": "since a training predicts nothing",
    "ProgressBar": _BAR,
    "TQDMProgressBar": _BAR,
    "RichProgressBar": _BAR,
}
_STATES = (
    "since a run goes on from its own states alone: callbacks.best keeps the best ones (monitor, mode, save_top_k), "
    "and checkpoint.every_n_scheduled=1 those of all scheduled steps"
)
# Callbacks that a config cannot name, although an object of them that a program has made may stand in a plan.
_NOT_NAMED = {
    "LambdaCallback": _FUNCTION,
    "ThroughputMonitor": _FUNCTION,
    "ModelCheckpoint": _STATES,
    "OnExceptionCheckpoint": _STATES,
}
_LOGS = ("DeviceStatsMonitor", "LearningRateMonitor", "ThroughputMonitor")


def kind_of(entry: Any) -> str:
    """The name of a callback's class, given as settings, as a node with its `_target_`, or as an object."""
    return str(entry.get("_target_")).rpartition(".")[2] if isinstance(entry, Mapping) else type(entry).__name__


def setting_of(entry: Any, name: str) -> Any:
    """The value of a callback's setting; None where it is not given."""
    return entry.get(name) if isinstance(entry, Mapping) else getattr(entry, name, None)


def check_kinds(callbacks: Mapping[str, Any], logs: bool, batches_per_step: int) -> None:
    """Raises ValueError for a callback that cannot work in a run.

    Args:
        callbacks: Name → entry, as in a plan.
        logs: Whether the run has a logger.
        batches_per_step: As the run counts its tokens and epochs.
    """
    for name, entry in callbacks.items():
        kind = kind_of(entry)
        if not isinstance(entry, Mapping) and not type(entry).__module__.startswith("lightning."):
            continue
        why = _REFUSED.get(kind) or (_NOT_NAMED.get(kind) if isinstance(entry, Mapping) else None)
        if why:
            raise ValueError(f"callbacks.{name}: must not be {kind}, {why}")
        if kind in _LOGS and not logs:
            raise ValueError(f"callbacks.{name}: {kind} needs a logger, such as logger=tensorboard")
        factors = dict(setting_of(entry, "scheduling") or {})
        if kind == "GradientAccumulationScheduler" and batches_per_step > 1:
            raise ValueError(
                f"callbacks.{name}: must be left out with trainer.accumulate_grad_batches={batches_per_step}"
            )
        if kind == "GradientAccumulationScheduler" and {*factors.values()} != {batches_per_step}:
            raise ValueError(
                f"callbacks.{name}.scheduling: must be {batches_per_step} in every epoch, the batches of a step "
                f"(trainer.accumulate_grad_batches), got {factors}"
            )


def check_monitors(callbacks: Mapping[str, Any], held_out: bool) -> None:
    """Raises ValueError for an early stopping whose measurement nothing in the run publishes.

    Args:
        callbacks: Name → entry, as in a plan.
        held_out: Whether text is held out, so that the eval loss is measured.
    """
    asked = {name: entry for name, entry in callbacks.items() if entry is not None}
    rooms = [room for entry in asked.values() if (room := getattr(entry, "PUBLISHES", None))]
    if any(_may_publish(entry) for entry in asked.values()):
        return
    known = {*_EVAL} if held_out else set[str]()
    for entry in asked.values():
        if isinstance(entry, Best) and (entry.monitor in known or entry.monitor.startswith(tuple(rooms))):
            room, _, noun = entry.monitor.rpartition("/")
            known.add(f"{room}/best_so_far" if noun == "best" else f"{room}/best_{noun}")
    for name, entry in asked.items():
        monitor = str(setting_of(entry, "monitor"))
        if kind_of(entry) == "EarlyStopping" and monitor not in known and not monitor.startswith(tuple(rooms)):
            names = ", ".join([*sorted(known), *(f"{room}…" for room in rooms)])
            of = f"one of {names}" if names else f"measured, but {_NO_EVAL} measures no eval loss"
            raise ValueError(f"callbacks.{name}.monitor: must be {of}, got {monitor!r}{did_you_mean(monitor, known)}")


def _may_publish(entry: Any) -> bool:
    """Whether an entry is somebody's own callback, of which nobody knows what it publishes."""
    if isinstance(entry, Mapping):
        return False
    module = type(entry).__module__
    return not module.startswith(("tl_search.", "lightning.pytorch."))
