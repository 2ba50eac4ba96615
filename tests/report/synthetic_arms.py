"""Branches of one state as they lie on disk, with eval losses that a test says; nothing is trained."""

import json
from pathlib import Path

from tl_search.runs.parent import Parent
from tl_search.runs.record import Diverged, Done, RunRecord

STAGE = {"class": "Stage", "name": "whole", "start": 0, "losses": {"next_token": 1.0}}
LATE = {"whole": STAGE, "late": {"class": "Stage", "name": "late", "start": 130, "losses": {"next_token": 2.0}}}


def write_branch(
    folder: Path,
    name: str,
    seed: int,
    losses: dict[int, float],
    *,
    stages: dict | None = None,
    diverged: int | None = None,
    done: bool = True,
    measured: dict[str, dict[int, float]] | None = None,
    tokens: bool = True,
) -> Path:
    """A run of an arm `name` that was branched at step 100 of RUNS/base; what is measured stands in its index."""
    run = folder / "runs" / "train" / f"{name}-s{seed}"
    (run / "checkpoints").mkdir(parents=True)
    held = {"name": "whole", "weights": {"next_token": 1.0}, "data": {}}
    base, order = folder / "runs" / "train" / "base", {"seed": seed, "epoch": 1, "step": 100}
    parent = Parent(str(base), "0" * 8, 100, "0" * 64, {}, held, order, ((0, 0, 300),))
    plan = {
        "seed": seed,
        "trainer": {"max_steps": 200},
        "curriculum": {"class": "Curriculum", "stages": stages or {"whole": STAGE}},
        "branch": {"on_restore": "level", "lr": "keep", "data": "restart"},
    }
    RunRecord("train", run.name, "0" * 8, seed, plan=plan, parent=parent).write(run)
    (run / "config.yaml").write_text(
        json.dumps({"curriculum": {"name": name}, "seed": seed, "model": {}, "tokenizer": {}, "data": {},
                    "optimizer": {}, "trainer": {}})
    )  # fmt: skip
    lines = [
        {"name": f"step{step}", "step": step, "eval_loss": loss, "tokens": 512 * step if tokens else None,
         "measured": {key: values[step] for key, values in (measured or {}).items() if step in values}}
        for step, loss in losses.items()
    ]  # fmt: skip
    (run / "checkpoints" / "index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if diverged is not None:
        Diverged(diverged, f"training diverged: the loss was not finite, at step {diverged}").write(run)
    elif done:
        Done(facts={"step": max(losses)}).write(run)
    return run


def falling(end: float, gap: float = 0.0) -> dict[int, float]:
    """Losses that are 3.0 at step 100 and `end` at step 200; `gap` is on top from step 140 on."""
    return {step: 3.0 + (end - 3.0) * (step - 100) / 100 + gap * (step > 130) for step in range(100, 201, 20)}


def write_base(folder: Path, steps: int) -> None:
    """The record of the run that all branches have as their parent."""
    base = folder / "runs" / "train" / "base"
    base.mkdir(parents=True)
    RunRecord("train", "base", "0" * 8, 0, plan={"seed": 0, "trainer": {"max_steps": steps}}).write(base)
