"""The rolling training state of a run: where it is written, and which one a resumed run starts from."""

import os
import shutil
import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from tl_search.plane.revision import step_of
from tl_search.store.atomic import ASIDE, read_json, write_dir, write_json, write_text
from tl_search.store.manifest import DamagedError, read_manifest, verify, write_manifest
from tl_search.training.revisions import CONFIG

STATE = "state.ckpt"


def save_state(run: Path, step: int, facts: Mapping[str, Any], settings: str, write: Callable[[Path], None]) -> None:
    """Write the state of a step, and point to it.

    Args:
        run: The run directory.
        step: Completed optimizer steps.
        facts: For the manifest; `for_good` is true of a state that is never to be removed.
        settings: The run's, as YAML.
        write: Fills the path that it is given.
    """
    folder = run / "checkpoints" / f"step{step}"
    with write_dir(folder) as aside:
        write(aside / STATE)
        write_text(aside / CONFIG, settings)
        write_manifest(aside, **facts)
    write_json(run / "checkpoints" / "last.json", {"name": folder.name, "step": step})


def drop_states(run: Path, doomed: Callable[[list[int]], Collection[int]]) -> None:
    """Remove the states of those steps that `doomed` picks, whatever kept them when they were written.

    What a pointer names stays, also when no setting of the run moves it any more; and so does what is marked
    `for_good`, also when the schedule has changed since.
    """
    steps = {step: folder for folder, step in states_of(run)}
    named = {read_json(pointer).get("name") for pointer in (run / "checkpoints").glob("*.json")}
    for step in doomed(list(steps)):
        if steps[step].name in named or _is_for_good(steps[step]):
            continue
        aside = steps[step].with_name(f"{ASIDE}{steps[step].name}")  # a half-removed state must not bear its name
        os.replace(steps[step], aside)
        shutil.rmtree(aside)


def _is_for_good(folder: Path) -> bool:
    try:
        return bool(read_manifest(folder).get("for_good"))
    except DamagedError:
        return False


def newest_state(run: Path) -> tuple[Path, int] | None:
    """The newest state that is whole, and its step; damaged ones are put into quarantine with a warning.

    Raises:
        ValueError: there were states, and none is whole: starting over is for the owner to decide.
    """
    states = states_of(run)
    for number, (folder, step) in enumerate(states):
        try:
            if verify(folder)["step"] != step:
                raise DamagedError(f"{folder}: holds another step than its name says")
        except DamagedError as error:
            older = states[number + 1][0] if number + 1 < len(states) else None
            moved = quarantine(run, folder)
            fall_back = f"trying {older}" if older else "there is no older one"
            warnings.warn(f"damaged training state {folder}: {error}; moved to {moved}, {fall_back}", stacklevel=2)
        else:
            return folder / STATE, step
    if states or (run / "checkpoints" / "last.json").exists():
        raise ValueError(
            f"run: {run} holds no undamaged training state to go on from; remove {run / 'checkpoints'} to start over"
        )
    return None


def states_of(run: Path) -> list[tuple[Path, int]]:
    """The full states of a run by falling step, which is read from the name: a clock can be wrong."""
    steps = {folder: step_of(folder.name) for folder in (run / "checkpoints").glob("step*") if folder.is_dir()}
    return sorted(((folder, step) for folder, step in steps.items() if step is not None), key=lambda found: -found[1])


def quarantine(run: Path, folder: Path, name: str = "") -> Path:
    """Put a folder, such as a state, where no run looks for one, and say where: nothing is deleted."""
    name = name or folder.name
    target = run / "quarantine" / name
    target.parent.mkdir(exist_ok=True)
    number = 1
    while target.exists():
        number += 1
        target = run / "quarantine" / f"{name}-{number}"
    os.replace(folder, target)
    return target
