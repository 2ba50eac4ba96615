"""Tokens per second of a training run against a bare PyTorch loop of the same model and batches, interleaved.

    python experiments/training_speed/measure.py [--shapes tiny 14m] [--rounds 3] [--seconds 12]

All read the same blocks and make the same steps with the same AdamW. A round times, one after the other, the loop,
the run without checkpoints, the run with the default schedule and its training states, and that with its evaluations
and the best model besides.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from lightning.pytorch import Callback

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.plane.schedule import LogSchedule, NoSchedule
from tl_search.training.architecture import Pythia
from tl_search.training.callbacks.best import Best
from tl_search.training.callbacks.finite_loss import FiniteLoss
from tl_search.training.callbacks.progress import Progress
from tl_search.training.corpus import StdlibText
from tl_search.training.data import BlockLoader, Text
from tl_search.training.fit import fit
from tl_search.training.loggers import TensorBoard
from tl_search.training.losses import next_token
from tl_search.training.optim import AdamW, Phase
from tl_search.training.plan import TrainingPlan
from tl_search.training.retention import Checkpointing
from tl_search.training.tokens import ByteTokenizer

SHAPES = {  # model, blocks in a batch
    "tiny": (Pythia(width=96, blocks=6, heads=3, context=256), 16),
    "14m": (Pythia(width=128, blocks=6, heads=4, context=256, vocabulary_multiple=50304), 4),
}


class Clock(Callback):
    """Seconds between the end of the first step and the end of the run, with everything that is written in between."""

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == 1:
            self.started = time.perf_counter()


def bare(model_config, text, packed, steps: int) -> float:
    """Seconds per step of the plainest loop, after the first step."""
    model = model_config.build(packed.tokenizer, seed=0).train()
    optimizer, rate = AdamW().build(model, (Phase(0, 0, steps),))
    batches = iter(BlockLoader(packed.train, model_config.context, text.batch_size, 1, seed=0))
    for step in range(steps):
        batch = next(batches)
        loss = next_token(model(input_ids=batch[:, :-1], use_cache=False).logits, batch[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        if not step:
            started = time.perf_counter()
    return (time.perf_counter() - started) / (steps - 1)


def ours(plan: TrainingPlan, steps: int) -> float:
    """Seconds per step of a run, after the first step."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        fit(replace(plan, callbacks={**plan.callbacks, "clock": clock}), Path(folder, "run"))
        return (time.perf_counter() - clock.started) / (steps - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12.0, help="of one timing")
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads of {os.cpu_count()}, {platform.machine()}")
    with tempfile.TemporaryDirectory() as cache:
        for name in arguments.shapes:
            model, batch_size = SHAPES[name]
            text = Text(StdlibText(), batch_size=batch_size)
            packed = text.pack(ByteTokenizer(), Path(cache))
            steps = max(10, round(arguments.seconds / bare(model, text, packed, 6)))
            everything = TrainingPlan(
                model=model,
                tokenizer=ByteTokenizer(),
                data=text,
                schedule=LogSchedule(),
                curriculum=Curriculum({"all": Stage("all")}),
                optimizer=AdamW(),
                trainer={"max_steps": steps, "accelerator": "cpu", "gradient_clip_val": 1.0},
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
            rounds = []
            for number in range(arguments.rounds):
                loop = bare(model, text, packed, steps)
                rounds.append((loop, *(loop / ours(plan, steps) for plan in (plain, scheduled, everything))))
                shares = ", ".join(f"{share:.3f}" for share in rounds[-1][1:])
                print(f"{name}: round {number + 1}: {loop:.4f} s a step; {shares}", flush=True)
            loop, *shares = (statistics.median(column) for column in zip(*rounds, strict=True))
            tokens = batch_size * model.context / loop
            print(
                f"{name}: {steps} steps; bare loop {tokens:,.0f} tokens/s; of its speed, without checkpoints "
                f"{shares[0]:.3f}, with the default schedule {shares[1]:.3f}, with evaluations besides {shares[2]:.3f} "
                f"(medians of {arguments.rounds} rounds)"
            )


if __name__ == "__main__":
    main()
