"""Where a training starts: the newest state, the best, or a named one, to which the run is then set back."""

import re
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.errors.nearest import no_folder
from tl_search.runs.layout import RunPaths
from tl_search.runs.pointers import Pointer
from tl_search.runs.record import RunRecord
from tl_search.runs.states import drop_states, end_setting_back, is_set_back, newest_state, set_back, whole_state
from tl_search.runs.target import Start

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan

_NEEDED = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "global_step", "pytorch-lightning_version")


def check_run(run: Path) -> None:
    """Raises ValueError, saying what the path is, when it is no training run that could go on."""
    if not run.exists():
        raise ValueError(f"resume: {no_folder(run)}")
    if run.is_file():
        raise ValueError(f"resume: {run} is a file{_kind(run)}; must be a run, RUN@stepN or RUN/checkpoints/stepN")
    if not RunPaths(run).record.is_file():
        weights = (run / "config.json").is_file() or any(run.glob("*.safetensors"))
        what = "holds weights only, from which no training goes on" if weights else "is no run (no run.json)"
        raise ValueError(f"resume: {run} {what}; must be a run, RUN@stepN or RUN/checkpoints/stepN")
    record = RunRecord.read(run)
    if record is None or record.plan is None:
        raise ValueError(f"resume: {run} is no training run, or has not trained yet (run.json holds no plan)")


def check_start(run: Path, start: Start) -> int:
    """The step that a run is to go on from, once the state of that step is known to be whole. Changes nothing.

    Raises:
        ValueError: the state is missing, damaged, or none that training can go on from.
    """
    if start.run is not None and start.run.resolve() != run.resolve():
        raise ValueError(f"resume: must be a path in the run's own folder {run}, got {start.run}")
    check_run(run)
    file, step = whole_state(run, start.state)
    check_state(file)
    return step


def starting_state(run: Path, start: Start) -> tuple[Path, int] | None:
    """The state that training starts from, and its step; None for a run that has none yet.

    An explicit state sets the run back: newer ones go into quarantine. Asked for again before the run is done, as a
    killed command does, it goes on instead.

    Raises:
        ValueError: the state is missing, damaged, or none that training can go on from.
    """
    if start.state is None:
        end_setting_back(run)
    elif not is_set_back(run, start.state):
        check_start(run, start)
        set_back(run, start.state)
    found = newest_state(run)
    if found is not None:
        check_state(found[0])
    return found


def check_state(path: Path) -> None:
    """Raises ValueError when a file is not the full state of a training, or is of a newer Lightning."""
    import lightning
    from packaging.version import InvalidVersion, Version

    state = load_state(path)
    if not isinstance(state, Mapping):
        raise ValueError(f"resume: {path} is no training state")
    missing = [key for key in _NEEDED if key not in state]
    if missing:
        what = "a plain state_dict: weights only" if "state_dict" in missing else f"a state without {missing[0]}"
        raise ValueError(f"resume: {path} holds {what}; training goes on only from what tl train wrote")
    written = str(state["pytorch-lightning_version"])
    try:
        newer = Version(written).release > Version(lightning.__version__).release
    except InvalidVersion as error:
        raise ValueError(f"resume: {path} names no version of lightning, but {written!r}") from error
    if newer:
        raise ValueError(f"resume: {path} was written by lightning {written}, newer than {lightning.__version__} here")


def load_state(path: Path) -> Any:
    """What a file of a full state holds, its tensors left on disk. Raises ValueError when it cannot be read."""
    import pickle

    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, OSError) as error:
        size = path.stat().st_size if path.is_file() else 0
        raise ValueError(f"resume: {path} ({size} bytes) cannot be read as a training state") from error


def _kind(path: Path) -> str:
    """What a file turns out to hold, for a message."""
    try:
        state = load_state(path)
    except ValueError:
        return ""
    weights = not isinstance(state, Mapping) or any(key not in state for key in _NEEDED)
    return " with weights only" if weights else " without its run's settings"


def settle(plan: "TrainingPlan", folder: Path, state: Path, steps: Collection[int]) -> None:
    """Do what a kill after the last state left undone: the pointers to the best, then room for them."""
    kept = {*plan.checkpoint.for_good(steps)}
    for key, memory in load_state(state)["callbacks"].items():
        found = re.fullmatch(r"BestCheckpoint\[(.+)\]", key)
        if found is None:
            continue
        if memory["best"] is not None:
            Pointer(found[1], **memory["best"]).lead(folder)
        kept |= {step for step, _ in memory["kept"]}
    drop_states(folder, partial(plan.checkpoint.doomed, kept=kept))
