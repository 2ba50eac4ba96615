"""How long training stands still for a scheduled save: written by a thread, and waiting for the disk.

    python experiments/saving_stall/measure.py
    python experiments/saving_stall/measure.py --saves 24 --every 4

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
from tl_search.plane.schedule import ExplicitSchedule
from tl_search.training.architecture import Pythia
from tl_search.training.corpus import StdlibText
from tl_search.training.data import Text
from tl_search.training.fit import TrainingPlan, fit
from tl_search.training.optim import AdamW
from tl_search.training.retention import Checkpointing
from tl_search.training.tokens import ByteTokenizer

MODEL = Pythia(width=640, blocks=10, heads=10, context=128)  # 49.6 million parameters, as bytes need no vocabulary


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
    parser.add_argument("--every", type=int, default=8, help="steps between saves")
    parser.add_argument("--rounds", type=int, default=2, help="turns that the three runs take")
    parser.add_argument("--batch", type=int, default=4, help="blocks in a step")
    asked = parser.parse_args()
    per_round = -(-asked.saves // asked.rounds)
    due = {asked.every * (number + 1) for number in range(per_round)}
    steps = max(due) + asked.every
    stalls: dict[str, list[float]] = {"thread": [], "waiting": [], "none": []}
    seconds: dict[str, list[float]] = {name: [] for name in stalls}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as cache:
        for _ in range(asked.rounds):
            for name in stalls:
                found, took = train(steps, due if name != "none" else set(), name == "thread", Path(cache), asked.batch)
                stalls[name] += found
                seconds[name].append(took)
    print(f"{'':<10}{'saves':>8}{'median s':>12}{'p95 s':>10}{'run s':>10}")
    for name in stalls:
        row = sorted(stalls[name])
        middle = f"{statistics.median(row):>12.3f}{row[int(0.95 * (len(row) - 1))]:>10.3f}" if row else " " * 22
        print(f"{name:<10}{len(row):>8}{middle}{statistics.median(seconds[name]):>10.2f}")
    middles = [statistics.median(stalls[name]) for name in ("thread", "waiting")]
    tails = [sorted(stalls[name])[int(0.95 * (len(stalls[name]) - 1))] for name in ("thread", "waiting")]
    print(f"stall: {middles[0] / middles[1]:.1%} of waiting (median), {tails[0] / tails[1]:.1%} (p95)")
    print(
        f"run with saves by a thread: {statistics.median(seconds['thread']) / statistics.median(seconds['none']):.3f}"
    )


if __name__ == "__main__":
    main()
