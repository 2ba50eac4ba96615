"""Finds the state from which a training starts: the newest, the best or a named one; newer states are set aside."""

import logging
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.errors.nearest import no_folder
from tl_search.runs.layout import STATE, RunPaths
from tl_search.runs.pointers import Pointer, entries
from tl_search.runs.record import RunRecord
from tl_search.runs.states import (
    drop_states,
    end_setting_back,
    is_set_back,
    newest_state,
    restore_last,
    set_back,
    states_of,
    whole_state,
)
from tl_search.runs.target import Start
from tl_search.training.full_state import NEEDED, bests, check_shape, load_state

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan

log = logging.getLogger(__name__)


def check_run(run: Path) -> None:
    """Raises ValueError, which says what the path is, if it is not a training run that can continue."""
    if not run.exists():
        raise ValueError(f"resume: {no_folder(run)}")
    if run.is_file():
        raise ValueError(f"resume: {run} is a file{_kind(run)}; must be a run, RUN@stepN or RUN/checkpoints/stepN")
    if not RunPaths(run).record.exists():
        weights = (run / "config.json").is_file() or any(run.glob("*.safetensors"))
        what = "holds only weights, which cannot be trained on" if weights else "is not a run (no run.json)"
        raise ValueError(f"resume: {run} {what}; must be a run, RUN@stepN or RUN/checkpoints/stepN")
    record = RunRecord.read(run)
    if record is None or record.plan is None:
        raise ValueError(f"resume: {run} is not a training run, or has not trained yet (run.json has no plan)")


def check_start(run: Path, start: Start) -> int:
    """The step from which a run will continue, after a check that the state of that step is complete. Changes nothing.

    Raises:
        ValueError: the state is missing or damaged, or training cannot continue from it.
    """
    if start.run is not None and start.run.resolve() != run.resolve():
        raise ValueError(f"resume: must be a path in the run's own folder {run}, got {start.run}")
    check_run(run)
    file, step = whole_state(run, start.state)
    check_state(file, step)
    return step


def starting_state(run: Path, start: Start) -> tuple[Path, int] | None:
    """The state that training starts from, and its step; None for a run that has none yet.

    A named state sets the run back: newer states are moved to the quarantine folder. If the same command is repeated
    before the run is complete, such as after a kill, the run continues from its newest state instead.

    Raises:
        ValueError: the state is missing or damaged, or training cannot continue from it.
    """
    if start.state is None:
        end_setting_back(run)
    elif not is_set_back(run, start.state):
        check_start(run, start)
        set_back(run, start.state)
    found = newest_state(run)
    if found is not None:
        check_state(*found)
        restore_last(run)
    return found


def check_state(path: Path, step: int) -> None:
    """Raises ValueError if a file is not the full state of a training at this step, or is of a newer Lightning."""
    import lightning
    from packaging.version import InvalidVersion, Version

    state = load_state(path)
    if not isinstance(state, Mapping):
        raise ValueError(f"resume: {path} is not a training state")
    missing = [key for key in NEEDED if key not in state]
    if missing:
        what = "only weights (a plain state_dict)" if "state_dict" in missing else f"a state without {missing[0]}"
        raise ValueError(f"resume: {path} holds {what}; it must be a state that tl train wrote")
    written = str(state["pytorch-lightning_version"])
    try:
        newer = Version(written).release > Version(lightning.__version__).release
    except InvalidVersion as error:
        raise ValueError(f"resume: {path} has {written!r} in the place of Lightning's version") from error
    if newer:
        raise ValueError(f"resume: {path} was written by lightning {written}, newer than {lightning.__version__} here")
    check_shape(path, state, step)


def _kind(path: Path) -> str:
    """What a file turns out to hold, for a message."""
    try:
        state = load_state(path)
    except ValueError:
        return ""
    weights = not isinstance(state, Mapping) or any(key not in state for key in NEEDED)
    return " with weights only" if weights else " without its run's settings"


def settle(plan: "TrainingPlan", folder: Path, state: Path, steps: Collection[int]) -> None:
    """Do what a kill after the last state left undone: the pointers to the best, then room for them."""
    kept = {*plan.checkpoint.for_good(steps)}
    for name, memory in bests(load_state(state)):
        if pointer := memory.pointer(name):
            pointer.lead(folder)
        kept |= {int(step) for step, _ in memory.kept}
    drop_states(folder, partial(plan.checkpoint.doomed, kept=kept))


def restore_bests(run: Path) -> None:
    """Write those pointers to the best again that a finished run has lost, from its newest state; each is told."""
    paths = RunPaths(run)
    names = {*entries(run), *(link.name for link in paths.revisions.glob("*") if link.is_symlink())}
    lost = [name for name in sorted(names) if not _is_whole(run, name)]
    if not lost:
        return
    try:
        state, step = states_of(run)[0]
        check_state(state / STATE, step)
        remembered = dict(bests(load_state(state / STATE)))
    except (ValueError, LookupError):  # the state is damaged, or there is none: what is lost is told by who looks at it
        return
    for name in lost:
        if name in remembered and (pointer := remembered[name].pointer(name)):
            pointer.lead(run)
            log.warning("%s: was missing or damaged, and was written again", paths.pointer(name))


def _is_whole(run: Path, entry: str) -> bool:
    try:
        Pointer.read(run, entry)
    except ValueError:
        return False
    return True
