"""Callbacks, loggers and optimizers as a config names them: our own settings, or a class of Lightning's or torch's."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from tl_search.training.optim import OptimizerConfig, Phase
from tl_search.training.own_parts import making

if TYPE_CHECKING:
    from lightning.pytorch import Callback
    from lightning.pytorch.loggers import Logger
    from torch.nn import Module
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

_LIBRARIES = ("lightning.pytorch.", "torch.optim.")


@runtime_checkable
class CallbackEntry(Protocol):
    """Settings of a callback: quick to import, so that a config can be checked before Lightning is loaded."""

    def start(self) -> "Callback":
        """The callback of one training run. Raises ValueError where this machine lacks what it needs."""


@runtime_checkable
class LoggerEntry(Protocol):
    """Settings of a logger."""

    def start(self, run: Path, step: int) -> "Logger":
        """The logger of one training run.

        Args:
            step: Completed steps of a run that goes on; -1 where it begins.

        Raises:
            ValueError: a package or a login is missing.
        """


@dataclass(frozen=True)
class TorchOptimizer:
    """One of torch's own optimizers on all parameters, at the same rate throughout.

    Args:
        node: `_target_` and its arguments.
    """

    node: Mapping[str, Any] = field(default_factory=dict)

    def build(self, model: "Module", phase_at: Callable[[int], Phase]) -> "tuple[Optimizer, LRScheduler]":
        from torch.optim.lr_scheduler import LambdaLR

        with making("optimizer", self.node):
            optimizer = instantiate(self.node, model.parameters())
        return optimizer, LambdaLR(optimizer, lambda step: 1.0)


def callback_of(name: str, setting: "CallbackEntry | Callback | Mapping[str, Any]") -> "Callback":
    """The callback that a setting stands for, of the name in `callbacks`. Raises PartFailed where it cannot be made."""
    with making(f"callbacks.{name}", setting):
        if isinstance(setting, CallbackEntry):
            return setting.start()
        return instantiate(setting) if isinstance(setting, Mapping) else setting


def logger_of(name: str, setting: "LoggerEntry | Logger | Mapping[str, Any]", run: Path, step: int) -> "Logger":
    """The logger that a setting stands for; `run` and `step` as in `LoggerEntry.start`, the rest as for callbacks."""
    with making(f"logger.{name}", setting):
        if isinstance(setting, LoggerEntry):
            return setting.start(run, step)
        if not isinstance(setting, Mapping):
            return setting
        takes_folder = "save_dir" in inspect.signature(class_of(setting)).parameters
        return instantiate({"save_dir": str(run), **setting} if takes_folder else setting)


def loggers_of(
    settings: "Mapping[str, LoggerEntry | Logger | Mapping[str, Any] | None]", run: Path, step: int
) -> "dict[str, Logger]":
    """All loggers of a run by their names; None stands for none. The rest as in `logger_of`."""
    return {name: logger_of(name, entry, run, step) for name, entry in settings.items() if entry is not None}


def optimizer_of(setting: OptimizerConfig | Mapping[str, Any]) -> OptimizerConfig:
    """The optimizer's config that a setting stands for."""
    return TorchOptimizer(setting) if isinstance(setting, Mapping) else setting


def instantiate(node: Mapping[str, Any], *arguments: Any) -> Any:
    """An object of the class that `_target_` names, from the other entries and `arguments` in front of them."""
    return class_of(node)(*arguments, **{key: value for key, value in node.items() if key != "_target_"})


def class_of(node: Mapping[str, Any]) -> Any:
    """The class that `_target_` names. Raises ValueError where it is not Lightning's or torch's."""
    target = str(node.get("_target_"))
    if not target.startswith(_LIBRARIES):
        raise ValueError(f"_target_: must start with one of {', '.join(_LIBRARIES)}, got {target}")
    module, _, name = target.rpartition(".")
    return getattr(import_module(module), name)
