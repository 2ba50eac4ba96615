"""Where a resumed run starts: the newest state, the best, or a named one, to which the run is then set back."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tl_search.checkpoints.index import forget_after, read_index
from tl_search.errors.nearest import nearest_name, no_folder
from tl_search.plane.revision import step_of
from tl_search.store.atomic import read_json, write_json
from tl_search.store.manifest import DamagedError, verify
from tl_search.training.resume import STATE, newest_state, quarantine, states_of

AUTO, BEST = "auto", "best"
_MARK = Path("checkpoints", "rewound.json")
_NEEDED = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "global_step", "pytorch-lightning_version")


@dataclass(frozen=True)
class Target:
    """What `resume` names.

    Args:
        run: A run directory; None is the run that the settings name.
        state: `stepN` or `best`; None is the newest.
    """

    run: Path | None = None
    state: str | None = None

    @classmethod
    def parse(cls, resume: str) -> Self:
        """`auto`, `best`, RUN, RUN@best, RUN@stepN or RUN/checkpoints/stepN. Raises ValueError."""
        if resume in (AUTO, BEST):
            return cls(None, None if resume == AUTO else BEST)
        path = Path(resume)
        folder = path.parent if path.name == STATE else path
        if folder.parent.name == "checkpoints" and step_of(folder.name) is not None:
            return cls(folder.parent.parent, folder.name)
        run, state = split(resume)
        if state is not None and state != BEST and step_of(state) is None:
            raise ValueError(f"resume: must name a state as best or stepN after the @, got {state!r}")
        return cls(run, state)


def split(text: str) -> tuple[Path, str | None]:
    """A run, and what RUN@NAME names of it; a path that exists is a run, whatever is in its name."""
    run, at, name = text.rpartition("@")
    return (Path(run), name) if at and not Path(text).exists() else (Path(text), None)


def check_run(run: Path) -> None:
    """Raises ValueError, saying what the path is, when it is no training run that could go on."""
    if not run.exists():
        raise ValueError(f"resume: {no_folder(run)}")
    if run.is_file():
        raise ValueError(f"resume: {run} is a file{_kind(run)}; must be a run, RUN@stepN or RUN/checkpoints/stepN")
    about = run / "run.json"
    if not about.is_file():
        weights = (run / "config.json").is_file() or any(run.glob("*.safetensors"))
        what = "holds weights only, from which no training goes on" if weights else "is no run (no run.json)"
        raise ValueError(f"resume: {run} {what}; must be a run, RUN@stepN or RUN/checkpoints/stepN")
    if "plan" not in read_json(about):
        raise ValueError(f"resume: {run} is no training run, or has not trained yet (run.json holds no plan)")


def check_start(run: Path, target: Target) -> int:
    """The step that a run is to go on from, once the state of that step is known to be whole. Changes nothing.

    Raises:
        ValueError: the state is missing, damaged, or none that training can go on from.
    """
    if target.run is not None and target.run.resolve() != run.resolve():
        raise ValueError(f"resume: must be a path in the run's own folder {run}, got {target.run}")
    check_run(run)
    folder = state_folder(run, target.state)
    try:
        facts = verify(folder)
    except DamagedError as error:
        whole = [found.name for found, _ in states_of(run) if found != folder]
        hint = f"; others: {', '.join(f'{run}@{name}' for name in whole)}" if whole else ""
        raise ValueError(f"resume: damaged training state: {error}{hint}") from error
    check_state(folder / STATE)
    return int(facts["step"])


def starting_state(run: Path, target: Target) -> tuple[Path, int] | None:
    """The state that training starts from, and its step; None for a run that has none yet.

    An explicit state sets the run back: newer ones go into quarantine. Asked for again before the run is done, as a
    killed command does, it goes on instead.

    Raises:
        ValueError: the state is missing, damaged, or none that training can go on from.
    """
    if target.state is None:
        forget_rewinding(run)
    elif not _is_set_back(run, target.state):
        check_start(run, target)
        _set_back(run, state_folder(run, target.state))
        write_json(run / _MARK, {"name": target.state})
    found = newest_state(run)
    if found is not None:
        check_state(found[0])
    return found


def forget_rewinding(run: Path) -> None:
    """The run is done: to ask for an older state is to set it back once more."""
    (run / _MARK).unlink(missing_ok=True)


def cut_off(run: Path, last: int) -> None:
    """Put the revisions after the run's last step into quarantine: of a run made shorter, no search is to see them."""
    for line in read_index(run):
        folder = run / "revisions" / line["name"]
        if line["step"] > last and folder.is_dir():
            quarantine(run, folder, f"revision-{line['name']}")
    forget_after(run, last)


def state_folder(run: Path, state: str | None) -> Path:
    """Raises ValueError with the names that there are."""
    names = [folder.name for folder, _ in states_of(run)]
    if not names:
        raise ValueError(f"resume: {run} holds no training state to go on from")
    if state is None or _is_set_back(run, state):
        return run / "checkpoints" / names[0]
    if state == BEST:
        pointer = run / "checkpoints" / "best.json"
        if not pointer.is_file():
            raise ValueError(f"resume: {run} has no best state (no {pointer.relative_to(run)})")
        state = str(read_json(pointer)["name"])
    if state not in names:
        near = nearest_name(state, names) or names[0]
        raise ValueError(f"resume: {run} has no state {state}; did you mean {near}? (states: {', '.join(names)})")
    return run / "checkpoints" / state


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


def _is_set_back(run: Path, state: str) -> bool:
    """Whether the run is on its way from this state already."""
    mark = run / _MARK
    return mark.exists() and read_json(mark) == {"name": state}


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


def _set_back(run: Path, folder: Path) -> None:
    """Make a state the newest one."""
    step = step_of(folder.name)
    assert step is not None
    (run / "DONE.json").unlink(missing_ok=True)  # first: a run whose states are half gone is not done
    for newer, at in states_of(run):
        if at > step:
            quarantine(run, newer)
    for pointer in (run / "checkpoints").glob("*.json"):
        if pointer.name != "last.json" and read_json(pointer).get("step", 0) > step:
            (run / "quarantine").mkdir(exist_ok=True)
            os.replace(pointer, run / "quarantine" / pointer.name)  # the best of steps that are yet to come
            link = run / "revisions" / pointer.stem
            if link.is_symlink():
                link.unlink()
    write_json(run / "checkpoints" / "last.json", {"name": folder.name, "step": step})
