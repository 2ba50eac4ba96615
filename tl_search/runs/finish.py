"""Ends a training run: gives its last model the name `main`, and writes that the run is complete. Checks one later."""

import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tl_search.runs.identity import as_recorded
from tl_search.runs.index import read_index
from tl_search.runs.layout import RunPaths
from tl_search.runs.pointers import Pointer, entries
from tl_search.runs.record import Done
from tl_search.runs.states import cut_off, end_setting_back, restore_last, states_of, verified
from tl_search.store.atomic import write_dir
from tl_search.store.keys import digest
from tl_search.store.manifest import DamagedError, verify

log = logging.getLogger(__name__)


def finish(run: Path, plan: Mapping[str, Any], step: int, early: str | None = None) -> None:
    """Give the model of the last step its name, `main`, and say that the run is done.

    Nothing of a run is changed after DONE.json, except what only that file makes true.

    Args:
        run: The run directory.
        plan: Settings that decide weights and steps, as in the run's record.
        step: The run's last.
        early: Why the run ended before its planned last step; None for one that did not.
    """
    cut_off(run, step)
    write_main(run, step)
    eval_loss = next(line.eval_loss for line in read_index(run) if line.name == f"step{step}")
    facts = {"step": step, "eval_loss": eval_loss, "digest": digest(as_recorded(run, plan))}
    Done(facts=facts if early is None else {**facts, "early": early}).write(run)
    end_setting_back(run)


def write_main(run: Path, step: int) -> None:
    """`revisions/main`: the files of the last step under the name that a model's users look for."""
    source = RunPaths(run).revision(f"step{step}")
    with write_dir(RunPaths(run).revision("main")) as aside:
        for file in sorted(source.iterdir()):
            try:
                os.link(file, aside / file.name)
            except OSError:  # a file system without hard links
                shutil.copyfile(file, aside / file.name)


def check_finished(run: Path) -> None:
    """Read and check the files of a finished run: `main`, the best models and the states.

    A damaged `main` is made again from the last revision, and `last.json` from the states, each with a warning. What is
    damaged beside them, and what heals it, is told as a warning too, since the run has its last model all the same.

    Raises:
        ValueError: the last model is damaged under both of its names; the message says what heals it.
    """
    paths, done = RunPaths(run), Done.read(run)
    if done is None or "step" not in done.facts:
        return
    step = int(done.facts["step"])
    for folder, at in states_of(run):
        try:
            verified(folder)
        except DamagedError as error:
            log.warning("damaged training state: %s; %s", error, remedy(run, at))
    restore_last(run)
    for entry in entries(run):
        try:
            pointer = Pointer.read(run, entry)
        except ValueError as error:
            log.warning("%s", error)
            continue
        try:
            verify(paths.revision(pointer.revision))
        except DamagedError as error:
            if pointer.revision != f"step{step}":  # which is the last model, too
                log.warning("damaged %s model: %s; %s", pointer.entry, error, remedy(run, pointer.step))
    try:
        found = verify(paths.revision("main"))
        last = {line.name: line.files for line in read_index(run)}.get(f"step{step}")
        if last and {file: facts["sha256"] for file, facts in found["files"].items()} != last:
            raise DamagedError(f"{paths.revision('main')}: is not the model of step {step}")
    except DamagedError as error:
        try:
            verify(paths.revision(f"step{step}"))
        except DamagedError as deeper:
            raise ValueError(f"run: {deeper}; {remedy(run, step)}") from error
        write_main(run, step)
        log.warning("damaged last model: %s; made again from %s", error, paths.revision(f"step{step}"))


def remedy(run: Path, step: int) -> str:
    """How something damaged of a step is made again, as the end of a message."""
    for folder, at in states_of(run):
        try:
            if at < step and verified(folder):
                return f"tl train resume={run}@step{at} makes it again"
        except DamagedError:
            continue
    return f"there is no older state to make it again from: copy it back, or remove {run} and train it anew"
