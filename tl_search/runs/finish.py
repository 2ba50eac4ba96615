"""Ends a training run: gives its last model the name `main`, and writes that the run is complete."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tl_search.runs.identity import as_recorded
from tl_search.runs.index import read_index
from tl_search.runs.layout import RunPaths
from tl_search.runs.record import Done
from tl_search.runs.states import cut_off, end_setting_back
from tl_search.store.atomic import write_dir
from tl_search.store.keys import digest


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
