"""How a run ends: what is settled after its last step, and what becomes of one that a callback ends before."""

import re
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.runs.index import read_index
from tl_search.store.atomic import write_json
from tl_search.store.keys import digest
from tl_search.training.identity import as_recorded
from tl_search.training.resume import drop_states
from tl_search.training.revisions import write_main
from tl_search.training.rewind import cut_off, forget_rewinding, load_state

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from tl_search.training.plan import TrainingPlan

TRY_AGAIN = 75  # sysexits' EX_TEMPFAIL


class EndedEarly(Exception):  # noqa: N818  # it is no error: a callback is there for it
    """A callback has ended the run at a step that has a revision, which is its last one."""

    def __init__(self, step: int, total: int, reason: str) -> None:
        super().__init__(step, total, reason)
        self.step, self.total, self.reason = step, total, reason

    def __str__(self) -> str:
        return f"training ended early, at step {self.step} of {self.total}: {self.reason}"


def check_end(trainer: "Trainer", steps: Collection[int], total: int) -> None:
    """Raises EndedEarly, or SystemExit(75) between two revisions, when Lightning has ended before the last step."""
    from lightning.pytorch.callbacks import EarlyStopping

    from tl_search.training.callbacks.neighbours import neighbours

    step = trainer.global_step
    if step >= total:
        return
    stoppers = neighbours(trainer, EarlyStopping)
    told = next((found.stopping_reason_message for found in stoppers if found.stopping_reason_message), None)
    reason = " ".join((told or "a callback asked for it").split()).removesuffix(". Signaling Trainer to stop.")
    if step in steps:
        raise EndedEarly(step, total, reason)
    error = SystemExit(TRY_AGAIN)
    error.add_note(f"training was stopped at step {step} of {total}, which has no revision: {reason}; "
                   "the same command goes on from the newest state")  # fmt: skip
    raise error


def settle(plan: "TrainingPlan", folder: Path, state: Path, steps: Collection[int]) -> None:
    """Do what a kill after the last state left undone: the pointers to the best, then room for them."""
    from tl_search.training.callbacks.best_checkpoint import point_to

    kept = {*plan.checkpoint.for_good(steps)}
    for key, memory in load_state(state)["callbacks"].items():
        found = re.fullmatch(r"BestCheckpoint\[(.+)\]", key)
        if found is None:
            continue
        if memory["best"] is not None:
            point_to(folder, found[1], memory["best"])
        kept |= {step for step, _ in memory["kept"]}
    drop_states(folder, partial(plan.checkpoint.doomed, kept=kept))


def finish(plan: "TrainingPlan", folder: Path, step: int, early: str | None = None) -> None:
    """Give the last step's model its name, `main`, and say that the run is done; `early` is why it is before its end.

    Nothing of a run is changed after DONE.json but what only that file makes true.
    """
    cut_off(folder, step)
    write_main(folder, step)
    eval_loss = next(line["eval_loss"] for line in read_index(folder) if line["name"] == f"step{step}")
    done = {"step": step, "eval_loss": eval_loss, "digest": digest(as_recorded(folder, plan.identity()))}
    write_json(folder / "DONE.json", done if early is None else {**done, "early": early})
    forget_rewinding(folder)
