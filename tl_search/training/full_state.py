"""What a full training state holds, by its parts: one of another shape is refused before anything is restored."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Any

from tl_search.errors.kinds import BadInput
from tl_search.runs.pointers import Pointer
from tl_search.store.archives import check_archive
from tl_search.store.mistaken import told
from tl_search.store.typed_json import fitting, from_plain

NEEDED = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "global_step", "pytorch-lightning_version")
_LOOPS = ("fit_loop", "validate_loop")
_RESTORES = "lightning.pytorch.trainer.connectors.checkpoint_connector"


@dataclass(frozen=True)
class FullState:
    """The parts of a state that Lightning restores; what they hold in turn, the run's own objects look at."""

    global_step: int
    epoch: int
    state_dict: Mapping[str, Any]
    optimizer_states: tuple[Mapping[str, Any], ...]
    lr_schedulers: tuple[Mapping[str, Any], ...]
    loops: Mapping[str, Mapping[str, Any]]
    callbacks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        import torch

        if not self.state_dict:
            raise ValueError("state_dict has no weights")
        for name, weight in self.state_dict.items():
            if not isinstance(weight, torch.Tensor):
                raise ValueError(f"state_dict.{name} is a {type(weight).__name__}")
            if weight.is_floating_point() and not torch.isfinite(weight).all():  # training would go on with them
                raise ValueError(f"state_dict.{name} has numbers that are not finite")
        if not self.optimizer_states:
            raise ValueError("optimizer_states is empty")
        if len(self.lr_schedulers) != len(self.optimizer_states):  # without its own, a schedule would begin anew
            raise ValueError(f"lr_schedulers has {len(self.lr_schedulers)} entries")
        for number, state in enumerate(self.optimizer_states):
            from_plain(Mapping[str, Any], state["state"], f"optimizer_states[{number}].state")
            groups = from_plain(tuple[Mapping[str, Any], ...], state["param_groups"], "optimizer_states.param_groups")
            if not groups:
                raise ValueError(f"optimizer_states[{number}].param_groups is empty")
        for loop in _LOOPS:
            if not self.loops[loop]:
                raise ValueError(f"loops.{loop} is empty")


@dataclass(frozen=True)
class RememberedBest:
    """What a state holds of a `BestCheckpoint`.

    Args:
        monitor: The measurement that it watches.
        mode: Whether less or more is better.
        seen: Step of the latest one that was considered.
        kept: Step and value of the states that are kept.
        best: The entries of its pointer.
    """

    monitor: str
    mode: str
    seen: int
    kept: tuple[tuple[float, ...], ...]
    best: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if any(len(pair) != 2 for pair in self.kept):
            raise ValueError("kept holds something else than steps with their values")

    def pointer(self, entry: str) -> Pointer | None:
        """Raises ValueError or KeyError for one that could lead elsewhere."""
        return None if self.best is None else from_plain(Pointer, {**self.best, "entry": entry})


def load_state(path: Path) -> Any:
    """What a file of a full state holds, its tensors left on disk. Raises ValueError when it cannot be read."""
    import torch

    size = path.stat().st_size if path.is_file() else 0
    try:
        check_archive(path)
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # the reader carries out what the file says, so it can be anything
        raise ValueError(f"resume: {path} ({size} bytes) cannot be read as a training state{told(path)}") from error
    check_tensors(path, state)
    return state


def check_tensors(path: Path, state: Any) -> None:
    """Raises ValueError for a tensor that claims more numbers than its file holds: using it would make them all."""
    from torch.utils._pytree import tree_leaves

    for leaf in tree_leaves(state):
        if hasattr(leaf, "untyped_storage") and leaf.numel() * leaf.element_size() > leaf.untyped_storage().nbytes():
            raise ValueError(f"{path}: has a tensor of {leaf.numel():,} numbers, of which it does not hold as many")


def check_shape(path: Path, state: Mapping[str, Any], step: int) -> None:
    """Raises ValueError, which names the part, if a state's parts are of another form or of another step."""
    with fitting(f"resume: {path}", "the run can go on from another state"):
        if from_plain(FullState, state).global_step != step:
            raise ValueError(f"global_step is {state['global_step']}, and its folder says {step}")
        for entry, memory in bests(state):
            memory.pointer(entry)


def bests(state: Mapping[str, Any]) -> Iterator[tuple[str, RememberedBest]]:
    """What a state holds of each `BestCheckpoint`, by its name."""
    for key, memory in state["callbacks"].items():
        if found := re.fullmatch(r"BestCheckpoint\[(.+)\]", key):
            yield found[1], from_plain(RememberedBest, memory, key)


@contextmanager
def restoring(state: Path | None) -> Iterator[None]:
    """Within the block Lightning restores a state. What does not fit the run becomes one line that names the file."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        if state is None or not any(_restores(frame) for frame, _ in walk_tb(error.__traceback__)):
            raise
        what = " ".join(str(error).split())[:200] or type(error).__name__
        said = f"{state} does not fit the run ({type(error).__name__}: {what})"
        raise ValueError(f"resume: {said}; the run can go on from another state") from error


def _restores(frame: FrameType) -> bool:
    """Whether it is one of the functions in which Lightning restores a state; their module also saves states."""
    return frame.f_globals.get("__name__") == _RESTORES and frame.f_code.co_name.lstrip("_").startswith("restore")
