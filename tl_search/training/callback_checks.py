"""Checks the callbacks that a config asks for, before anything heavy is loaded: each must be able to act."""

from collections.abc import Mapping
from typing import Any

from tl_search.errors.nearest import did_you_mean
from tl_search.training.callbacks.best import Best

_EVAL = ("eval/loss", "eval/perplexity")
_NO_EVAL = "data.validation_share=0 (or trainer.limit_val_batches=0)"


def kind_of(entry: Any) -> str:
    """The name of a callback's class, given as settings, as a node with its `_target_`, or as an object."""
    return str(entry.get("_target_")).rpartition(".")[2] if isinstance(entry, Mapping) else type(entry).__name__


def setting_of(entry: Any, name: str) -> Any:
    """The value of a callback's setting; None where it is not given."""
    return entry.get(name) if isinstance(entry, Mapping) else getattr(entry, name, None)


def check_kinds(callbacks: Mapping[str, Any]) -> None:
    """Raises ValueError for a callback that cannot work in a run."""
    for name, entry in callbacks.items():
        if kind_of(entry) == "Timer":
            raise ValueError(f"callbacks.{name}: must not be a Timer, which also counts the time before a resume; "
                             "to limit the time, send SIGUSR1: the run saves its state and ends")  # fmt: skip


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
