"""The speed of a training run against a bare PyTorch loop of the same model and batches, interleaved.

    python experiments/training_speed/measure.py [--shapes tiny 14m] [--steps 800] [--runs plain scheduled everything]

A run pauses every 25 steps, and the loop makes as many steps of its own model: a machine whose speed
drifts slows both alike. Before a pause the run waits until what it saves is on disk, and that time is its own. Three
runs: without checkpoints; with the default schedule and its training states; with evaluations and the best model, too.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from lightning.pytorch import Callback

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.plane.schedules.log import LogSchedule
from tl_search.plane.schedules.none import NoSchedule
from tl_search.text.stdlib import StdlibText
from tl_search.training.callbacks.best import Best
from tl_search.training.callbacks.finite_loss import FiniteLoss
from tl_search.training.callbacks.neighbours import neighbours
from tl_search.training.callbacks.progress import Progress
from tl_search.training.callbacks.resume_state import ResumeState
from tl_search.training.data import BlockLoader, Text
from tl_search.training.families.pythia import Pythia
from tl_search.training.fit import fit
from tl_search.training.loggers import TensorBoard
from tl_search.training.losses.next_token import loss as next_token
from tl_search.training.optim import AdamW, Phase
from tl_search.training.plan import TrainingPlan
from tl_search.training.retention import Checkpointing
from tl_search.training.tokens import ByteTokenizer

RUNS = ("plain", "scheduled", "everything")
SHAPES = {  # model, blocks in a batch
    "tiny": (Pythia(width=96, blocks=6, heads=3, context=256), 16),
    "14m": (Pythia(width=128, blocks=6, heads=4, context=256, vocabulary_multiple=50304), 4),
}


class Turns(Callback):
    """Takes the time of the run and, in its pauses, of the loop."""

    def __init__(self, loop: Iterator[None], every: int = 25) -> None:
        self.loop, self.every = loop, every
        self.ours, self.bare = [], []  # seconds of turns

    def on_train_batch_start(self, trainer, *_) -> None:
        if trainer.global_step % self.every == 1:  # the first step of all is nobody's
            self._turn(trainer)

    def on_train_end(self, trainer, *_) -> None:
        self._turn(trainer)

    def _turn(self, trainer) -> None:
        if trainer.global_step > 1:
            (state,) = neighbours(trainer, ResumeState)
            state.run.saves.drain()
            self.ours.append(time.perf_counter() - self.since)
            started = time.perf_counter()
            for _ in range((trainer.global_step - 1) - self.every * len(self.bare)):
                next(self.loop)
            self.bare.append(time.perf_counter() - started)
        self.since = time.perf_counter()


def bare(model_config, text, packed, steps: int) -> Iterator[None]:
    """The plainest loop; each `next` makes a step."""
    model = model_config.build(packed.tokenizer, seed=0).train()
    optimizer, rate = AdamW().build(model, lambda step: Phase(0, 0, steps))
    for batch in BlockLoader(packed.train, model_config.context, text.batch_size, 1, seed=0):
        loss = next_token(model(input_ids=batch[:, :-1], use_cache=False).logits, batch[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        yield


def turns(plan: TrainingPlan, loop: Iterator[None]) -> Turns:
    """A run, with the loop in its pauses."""
    clock = Turns(loop)
    next(loop)
    with tempfile.TemporaryDirectory() as folder:
        fit(replace(plan, callbacks={**plan.callbacks, "turns": clock}), Path(folder, "run"))
    return clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--steps", type=int, default=800, help="of a run: the default command's")
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=RUNS)
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads of {os.cpu_count()}, {platform.machine()}")
    with tempfile.TemporaryDirectory() as cache:
        for name in arguments.shapes:
            model, batch_size = SHAPES[name]
            text = Text(StdlibText(), batch_size=batch_size)
            packed = text.pack(ByteTokenizer(), Path(cache))
            everything = TrainingPlan(
                model=model,
                tokenizer=ByteTokenizer(),
                data=text,
                schedule=LogSchedule(),
                curriculum=Curriculum({"all": Stage("all")}),
                optimizer=AdamW(),
                trainer={"max_steps": arguments.steps, "accelerator": "cpu", "gradient_clip_val": 1.0},
                callbacks={"progress": Progress(1e9), "finite": FiniteLoss(), "best": Best()},
                logger={"tensorboard": TensorBoard()},
                cache=Path(cache),
            )
            scheduled = replace(
                everything,
                data=replace(text, validation_share=0),
                callbacks={key: value for key, value in everything.callbacks.items() if key != "best"},
            )
            plain = replace(scheduled, schedule=NoSchedule(), checkpoint=Checkpointing(save_interval=10**9))
            for run, plan in zip(RUNS, (plain, scheduled, everything), strict=True):
                if run not in arguments.runs:
                    continue
                clock = turns(plan, bare(model, text, packed, arguments.steps))
                share = sum(clock.bare) / sum(clock.ours)
                each = sorted(loop / own for own, loop in zip(clock.ours, clock.bare, strict=True))
                quarter = len(each) // 4
                tokens = (arguments.steps - 1) * batch_size * model.context / sum(clock.bare)
                print(
                    f"{name}, {arguments.steps} steps, {run}: {share:.3f} of the bare loop's speed (middle half of the "
                    f"turns {each[quarter]:.3f} to {each[-1 - quarter]:.3f}); the loop makes {tokens:,.0f} tokens/s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
