"""A training run that takes a second: 2 blocks of width 16 on a few kilobytes of bytes."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback
from safetensors.torch import load_file

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.plane.horizon import Horizon
from tl_search.plane.schedules.log import LogSchedule
from tl_search.text.files import TextFiles
from tl_search.training.callbacks.best import Best
from tl_search.training.callbacks.measurements import Measurements
from tl_search.training.context import RunContext
from tl_search.training.data import Text
from tl_search.training.families.pythia import Pythia
from tl_search.training.horizon import timeline_of
from tl_search.training.interrupts import Interrupts
from tl_search.training.optim import AdamW
from tl_search.training.plan import TrainingPlan
from tl_search.training.retention import Checkpointing
from tl_search.training.saving import BackgroundWriter
from tl_search.training.tokens import ByteTokenizer

EPOCH = 6  # steps of 4 blocks that `corpus` fills

PLAN = TrainingPlan(
    model=Pythia(width=16, blocks=2, heads=2, context=16, dropout=0.1),
    tokenizer=ByteTokenizer(),
    data=Text(TextFiles("corpus"), batch_size=4, validation_share=0.2, validation_batches=2),
    schedule=LogSchedule(first_epoch_checkpoints=None),
    curriculum=Curriculum({"warm": Stage("warm"), "late": Stage("late", 5, {"next_token": 1, "log_normaliser": 0.1})}),
    optimizer=AdamW(lr=1e-2, warmup_steps=2),
    trainer={"max_steps": 14, "accelerator": "cpu", "gradient_clip_val": 1.0, "log_every_n_steps": 2},
    checkpoint=Checkpointing(save_interval=4),
    eval_interval=3,
    callbacks={"best": Best()},
)


def corpus(folder: Path, steps_per_epoch: int = EPOCH) -> Path:
    """Ten documents, of which eight are trained on and fill so many steps of 4 × 16 tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = steps_per_epoch * 64 // 8 + 2
    for number in range(10):
        (folder / f"{number}.txt").write_text((f"line {number} of text, é; " * letters)[:letters])
    return folder


def plan(tmp_path: Path, **changes: Any) -> TrainingPlan:
    """PLAN on a corpus below `tmp_path`; `trainer` entries are merged, `save_interval` is that of `checkpoint`."""
    trainer = {**PLAN.trainer, **changes.pop("trainer", {})}
    if "save_interval" in changes:
        changes["checkpoint"] = dataclasses.replace(PLAN.checkpoint, save_interval=changes.pop("save_interval"))
    text = dataclasses.replace(PLAN.data, corpus=TextFiles(str(corpus(tmp_path / "corpus"))))
    return dataclasses.replace(PLAN, **{"data": text, **changes, "trainer": trainer})


def context(folder: Path, scheduled: Iterable[int], saves: BackgroundWriter | None = None) -> RunContext:
    """What PLAN's callbacks share in a run in `folder` with revisions at some steps."""
    timeline, saves = timeline_of(PLAN, Horizon(14), EPOCH), saves or BackgroundWriter(asynchronous=False)
    return RunContext(folder, timeline, frozenset(scheduled), False, PLAN.tokenizer.build(()), "", saves, Interrupts())


class At(Callback):
    """Acts once, at the end of a step, before the run's own callbacks see it."""

    def __init__(self, step: int, act: Any) -> None:
        self.step, self.act, self.done = step, act, False

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == self.step and not self.done:
            self.done = True
            self.act()


class Publish(Callback):
    """Puts given values of `plane/best` on the board."""

    def __init__(self, values):
        self.values = values

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step in self.values:
            Measurements.of(trainer).publish(trainer, {"plane/best": self.values[trainer.global_step]})


class PowerCut(Exception):  # noqa: N818
    """Nothing in the product knows it, so nothing tidies up after it on purpose."""


def cut() -> None:
    raise PowerCut


def weights(run: Path, name: str = "main") -> dict[str, Any]:
    return load_file(run / "revisions" / name / "model.safetensors")


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether two sets of weights are equal to the last bit."""
    return first.keys() == second.keys() and all(bool((first[name] == second[name]).all()) for name in first)
