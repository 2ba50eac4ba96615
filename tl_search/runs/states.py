"""The full training states of a run: writes, finds and removes them, and sets a run back to one."""

import logging
import os
import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from tl_search.plane.revision import step_of
from tl_search.runs.index import forget_after, read_index
from tl_search.runs.layout import SETTINGS, STATE, RunPaths
from tl_search.runs.pointers import Named, pointers
from tl_search.runs.signed import check_signed, sign
from tl_search.runs.target import BEST
from tl_search.store.atomic import remove_folder, write_dir, write_json, write_text
from tl_search.store.manifest import DamagedError, read_manifest, verify, write_manifest

log = logging.getLogger(__name__)


def save_state(run: Path, step: int, facts: Mapping[str, Any], settings: str, write: Callable[[Path], None]) -> None:
    """Write the state of a step, and point to it; a kill between the two is healed by `restore_last`.

    Args:
        run: The run directory.
        step: Completed optimizer steps.
        facts: Entries of the manifest; `for_good` marks a state that is never removed.
        settings: The settings of the run, as YAML.
        write: Fills the path that it is given.
    """
    paths = RunPaths(run)
    with write_dir(paths.state(step)) as aside:
        write(aside / STATE)
        write_text(aside / SETTINGS, settings)
        sign(run, paths.state(step).name, write_manifest(aside, **facts))
    _point_to_newest(paths, step)


def states_of(run: Path) -> list[tuple[Path, int]]:
    """(folder, step) of the full states, the newest first. The step is read from the name: a clock can be wrong."""
    steps = {folder: step_of(folder.name) for folder in RunPaths(run).states.glob("step*") if folder.is_dir()}
    return sorted(((folder, step) for folder, step in steps.items() if step is not None), key=lambda found: -found[1])


def drop_states(run: Path, doomed: Callable[[list[int]], Collection[int]]) -> None:
    """Remove the states of the steps that `doomed` picks.

    A state that a pointer names is kept, even if the run's settings no longer use that pointer. A state that is marked
    `for_good` is kept, even if the schedule has changed. All are kept while a damaged pointer may name any of them.
    """
    steps = {step: folder for folder, step in states_of(run)}
    try:
        named = {Named.by(pointer) for pointer in RunPaths(run).states.glob("*.json")}
    except ValueError:
        return
    for step in doomed(list(steps)):
        if steps[step].name not in named and not _is_for_good(steps[step]):
            remove_folder(steps[step])


def _is_for_good(folder: Path) -> bool:
    try:
        return bool(read_manifest(folder).get("for_good"))
    except DamagedError:
        return False


def newest_state(run: Path) -> tuple[Path, int] | None:
    """The newest state that is whole, and its step; damaged ones are put into quarantine with a warning.

    Raises:
        ValueError: there are states, but all are damaged; only the user can decide to start over.
    """
    paths, states = RunPaths(run), states_of(run)
    for number, (folder, step) in enumerate(states):
        try:
            _check(folder, step)
        except DamagedError as error:
            older = states[number + 1][0] if number + 1 < len(states) else None
            moved = quarantine(run, folder)
            fall_back = f"trying {older}" if older else "there is no older one"
            warnings.warn(f"damaged training state {folder}: {error}; moved to {moved}, {fall_back}", stacklevel=2)
        else:
            return folder / STATE, step
    if states or paths.last.exists():
        raise ValueError(
            f"run: {run} has no undamaged training state to continue from; remove {paths.states} to start over"
        )
    return None


def find_state(run: Path, name: str | None) -> Path:
    """The folder of the state `stepN` or `best`; None is the newest, and so is one that the run was set back to.

    Raises:
        ValueError: there is none of that name; the message lists the names that there are.
    """
    states = states_of(run)
    if states and (name is None or is_set_back(run, name)):
        return states[0][0]
    return named_state(run, name or BEST)


def named_state(run: Path, name: str) -> Path:
    """The folder of the state `stepN` or `best`, also while the run goes on from it. Raises as `find_state`."""
    paths = RunPaths(run)
    names = [folder.name for folder, _ in states_of(run)]
    if not names:
        raise ValueError(f"resume: {run} has no training state to continue from")
    if name == BEST:
        pointer = paths.pointer(BEST)
        if not pointer.is_file():
            raise ValueError(f"resume: {run} has no best state (no {pointer.relative_to(run)})")
        name = Named.by(pointer)
    if name not in names:
        bare = f"{run}@{name} has weights but no full training state" if paths.revision(name).is_dir() else ""
        raise ValueError(f"resume: {bare or f'{run} has no training state {name}'}; states: {', '.join(names)}")
    return paths.states / name


def whole_state(run: Path, name: str | None) -> tuple[Path, int]:
    """The file of a state that `find_state` finds, and its step, once all of its files were read and agree.

    Raises:
        ValueError: it is not there, or it is damaged; the message names those that may be used instead.
    """
    return whole(run, find_state(run, name))


def whole(run: Path, folder: Path) -> tuple[Path, int]:
    """The file of the state in a folder, and its step, likewise."""
    step = step_of(folder.name)
    assert step is not None
    try:
        _check(folder, step)
        return folder / STATE, step
    except DamagedError as error:
        others = [found.name for found, _ in states_of(run) if found != folder]
        hint = ", ".join(f"{run}@{other}" for other in others)
        hint = f"; others: {hint}" if others else f"; there is no other: remove {folder.parent} to start over"
        raise ValueError(f"resume: damaged training state: {error}{hint}") from error


def _check(folder: Path, step: int) -> None:
    """Raises DamagedError if a state is not whole, not as it was written, or of another step than its name says."""
    manifest = verified(folder)
    check_signed(folder, manifest)
    if manifest.get("step") != step:
        raise DamagedError(f"{folder}: is of another step than its name says")


def set_back(run: Path, name: str) -> None:
    """Make a state the newest one: newer states, and pointers to them, go into quarantine."""
    paths, folder, known = RunPaths(run), find_state(run, name), pointers(run)
    step = step_of(folder.name)
    assert step is not None
    paths.done.unlink(missing_ok=True)  # first: a run whose states are half gone is not done
    for newer, at in states_of(run):
        if at > step:
            quarantine(run, newer)
    for pointer in known:
        if pointer.step > step:  # the best of steps that are yet to come
            paths.quarantine.mkdir(exist_ok=True)
            path, link = paths.pointer(pointer.entry), paths.revision(pointer.entry)
            os.replace(path, paths.quarantine / path.name)
            if link.is_symlink():
                link.unlink()
    _point_to_newest(paths, step)
    write_json(paths.rewound, {"name": name})


def is_set_back(run: Path, name: str) -> bool:
    """Whether the run was set back to this state, and has not finished since."""
    mark = RunPaths(run).rewound
    return mark.exists() and Named.by(mark) == name


def end_setting_back(run: Path) -> None:
    """Ends the effect of `set_back`: the next time that an older state is named, the run is set back again."""
    RunPaths(run).rewound.unlink(missing_ok=True)


def quarantine(run: Path, folder: Path, name: str = "") -> Path:
    """Move a folder, such as a state, to the quarantine folder; returns its new path. Nothing is deleted."""
    name, place = name or folder.name, RunPaths(run).quarantine
    place.mkdir(exist_ok=True)
    number, target = 1, place / name
    while target.exists():
        number += 1
        target = place / f"{name}-{number}"
    os.replace(folder, target)
    return target


def cut_off(run: Path, last: int) -> None:
    """Move revisions after the last step of a shortened run to the quarantine folder, so that no search uses them."""
    for line in read_index(run):
        folder = RunPaths(run).revision(line.name)
        if line.step > last and folder.is_dir():
            quarantine(run, folder, f"revision-{line.name}")
    forget_after(run, last)


# The states that this process has checked: folder → its manifest, and size, time and inode of every file.
_verified: dict[Path, tuple[dict[str, Any], list[tuple[int, ...]]]] = {}


def verified(folder: Path) -> dict[str, Any]:
    """The manifest of a complete state. Its files are read and checked once per process, unless one has changed since.

    Raises:
        DamagedError: a file is missing, or not what the manifest says.
    """
    place = folder.resolve()
    if place not in _verified or _verified[place][1] != _signature(place):
        manifest = verify(folder)
        _verified[place] = manifest, _signature(place)
    return _verified[place][0]


def _signature(folder: Path) -> list[tuple[int, ...]]:
    facts = [path.stat() for path in sorted(folder.rglob("*")) if path.is_file()]
    return [(fact.st_ino, fact.st_size, fact.st_mtime_ns, fact.st_ctime_ns) for fact in facts]


def restore_last(run: Path) -> None:
    """Let `last.json` name the newest state if it does not, as after a kill between the two; only the run's owner may.

    It follows from the states, so nothing that decides reads it: it is for a person, and for other programs.
    """
    paths, states = RunPaths(run), states_of(run)
    if not states:
        return
    (folder, step), *_ = states
    try:
        named = Named.by(paths.last)
        said = f"named {named}"
    except ValueError:
        named, said = "", "was missing or damaged"
    if named != folder.name:
        _point_to_newest(paths, step)
        log.warning("%s: %s, and names the newest state now, %s", paths.last, said, folder.name)


def _point_to_newest(paths: RunPaths, step: int) -> None:
    write_json(paths.last, {"name": paths.state(step).name, "step": step})
