"""Parts that are Lightning's or torch's own, which a config names by their class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Module
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from tl_search.training.optim import Phase

_LIBRARIES = ("lightning.pytorch.", "torch.optim.")


def instantiate(node: Mapping[str, Any], *arguments: Any) -> Any:
    """An object of the class that `_target_` names, from the other entries and `arguments` in front of them."""
    target = str(node.get("_target_"))
    if not target.startswith(_LIBRARIES):
        raise ValueError(f"_target_: must start with one of {', '.join(_LIBRARIES)}, got {target}")
    module, _, name = target.rpartition(".")
    return getattr(import_module(module), name)(
        *arguments, **{key: value for key, value in node.items() if key != "_target_"}
    )


@dataclass(frozen=True)
class TorchOptimizer:
    """One of torch's own optimizers on all parameters, at the same rate throughout.

    Args:
        node: `_target_` and its arguments.
    """

    node: Mapping[str, Any] = field(default_factory=dict)

    def build(self, model: "Module", phases: "Sequence[Phase]") -> "tuple[Optimizer, LRScheduler]":
        from torch.optim.lr_scheduler import LambdaLR

        optimizer = instantiate(self.node, model.parameters())
        return optimizer, LambdaLR(optimizer, lambda step: 1.0)
