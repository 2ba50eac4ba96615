"""How long training stands still for a scheduled save: written by a thread, and waiting for the disk.

    python experiments/saving_stall/measure.py
    python experiments/saving_stall/measure.py --every 24 --rounds 1 --runs thread none

Every scheduled save is a revision and a full state of a model of about 50 million parameters. Three runs take turns,
so that a busy machine slows all of them alike: saves by a thread, saves that wait for the disk (the same bytes,
synced), and no saves.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.plane.schedules.explicit import ExplicitSchedule
from tl_search.text.stdlib import StdlibText
from tl_search.training.data import Text
from tl_search.training.families.pythia import Pythia
from tl_search.training.fit import fit
from tl_search.training.optim import AdamW
from tl_search.training.plan import TrainingPlan
from tl_search.training.retention import Checkpointing
from tl_search.training.tokens import ByteTokenizer

MODEL = Pythia(width=640, blocks=10, heads=10, context=128)  # 49.6 million parameters, as bytes need no vocabulary
RUNS = ("thread", "waiting", "none")


class Clock(Callback):
    """Seconds between the end of a step's computation and the start of the next, which is what saving takes."""

    def __init__(self, due: set[int]) -> None:
        self.due, self.stalls, self.since = due, [], 0.0
        self.started = self.ended = 0.0

    def on_train_start(self, trainer: Any, module: Any) -> None:
        self.started = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        self.since = time.perf_counter()  # before the checkpoint callbacks, which Lightning runs last

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step in self.due and self.since:
            self.stalls.append(time.perf_counter() - self.since)

    def on_train_end(self, trainer: Any, module: Any) -> None:
        self.ended = time.perf_counter()


def train(steps: int, due: set[int], asynchronous: bool, cache: Path, batch: int) -> tuple[list[float], float]:
    """Stalls of one run, and its seconds with the last byte on disk."""
    clock = Clock(due)
    keep = Checkpointing(save_interval=10**9, every_n_scheduled=1, asynchronous=asynchronous, save_last=1)
    plan = TrainingPlan(
        model=MODEL,
        tokenizer=ByteTokenizer(),
        data=Text(StdlibText(), batch_size=batch, validation_share=0),
        schedule=ExplicitSchedule(checkpoint_schedule=tuple(sorted(due or {steps}))),
        curriculum=Curriculum({"whole": Stage("whole")}),
        optimizer=AdamW(),
        trainer={"max_steps": steps, "accelerator": "cpu"},
        checkpoint=keep,
        callbacks={"clock": clock},
        cache=cache,
    )
    folder = Path(tempfile.mkdtemp(dir=cache))
    try:
        fit(plan, folder)
        return clock.stalls, time.perf_counter() - clock.started
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--saves", type=int, default=20, help="of either kind")
    parser.add_argument("--every", type=int, default=4, help="steps between saves")
    parser.add_argument("--rounds", type=int, default=2, help="turns that the three runs take")
    parser.add_argument("--batch", type=int, default=4, help="blocks in a step")
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=RUNS)
    asked = parser.parse_args()
    per_round = -(-asked.saves // asked.rounds)
    due = {asked.every * (number + 1) for number in range(per_round)}
    steps = max(due) + asked.every
    stalls: dict[str, list[float]] = {name: [] for name in asked.runs}
    seconds: dict[str, list[float]] = {name: [] for name in stalls}
    place = Path("runs")  # on the disk that runs are written to, and ignored by git
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as cache:
        for _ in range(asked.rounds):
            for name in stalls:
                found, took = train(steps, due if name != "none" else set(), name == "thread", Path(cache), asked.batch)
                stalls[name] += found
                seconds[name].append(took)
    print(f"{'':<10}{'saves':>8}{'median s':>12}{'p95 s':>10}{'run s':>10}")
    for name in stalls:
        row = stalls[name]
        middle = f"{statistics.median(row):>12.3f}{tail(row):>10.3f}" if row else " " * 22
        print(f"{name:<10}{len(row):>8}{middle}{statistics.median(seconds[name]):>10.2f}")
    if {"thread", "waiting"} <= set(stalls):
        thread, waiting = stalls["thread"], stalls["waiting"]
        shares = statistics.median(thread) / statistics.median(waiting), tail(thread) / tail(waiting)
        print(f"stall: {shares[0]:.1%} of waiting (median), {shares[1]:.1%} (p95)")
    if {"thread", "none"} <= set(stalls):
        saved, bare = statistics.median(seconds["thread"]), statistics.median(seconds["none"])
        print(f"run with saves by a thread: {saved / bare:.3f}; a save costs it {(saved - bare) / per_round:.2f} s")


def tail(values: list[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[int(0.95 * (len(values) - 1))]


if __name__ == "__main__":
    main()
