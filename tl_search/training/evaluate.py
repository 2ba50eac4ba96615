"""Measures the eval loss of a revision again, to check the one that the training run recorded."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.plane.horizon import Horizon
from tl_search.plane.revision import step_of
from tl_search.runs.finish import remedy
from tl_search.runs.identity import differences
from tl_search.runs.layout import REPEAT, RunPaths
from tl_search.runs.model_files import loading
from tl_search.runs.record import RunRecord
from tl_search.store.manifest import NAME, DamagedError, verify
from tl_search.store.typed_json import fitting, from_plain
from tl_search.training.entries import optimizer_of
from tl_search.training.horizon import packed_text, timeline_of
from tl_search.training.quiet import quiet

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from tl_search.training.plan import TrainingPlan
    from tl_search.training.task import Packed

# Nats. Sums of 32-bit numbers differ by so much between machines and thread counts; those of 16 bits by far more.
_TOLERANCE, _TOLERANCE_16 = 1e-4, 2e-2


@dataclass(frozen=True)
class Reproduction:
    """An eval loss that was recorded, and the same measured anew.

    Args:
        loss: Nats per token, measured now.
        recorded: Nats per token, as the revision's manifest has it.
        tolerance: Most that they may differ by.
    """

    name: str
    step: int
    loss: float
    recorded: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        return abs(self.loss - self.recorded) <= self.tolerance  # never of NaN

    def __str__(self) -> str:
        from tl_search.training.callbacks.evaluation import perplexity

        same = "equal bit for bit" if self.loss == self.recorded else f"differ by {abs(self.loss - self.recorded):.3g}"
        verdict = "agree" if self.agrees else "do NOT agree"
        lines = [
            f"{self.name} (step {self.step:,})  {'measured':>14}{'recorded':>16}",
            f"  {'eval loss':20}{self.loss:16.8f}{self.recorded:16.8f}",
            f"  {'eval perplexity':20}{perplexity(self.loss):16.8f}{perplexity(self.recorded):16.8f}",
            f"  {same}: they {verdict} (tolerance {self.tolerance:g} nats)",
        ]
        return "\n".join(lines)


def revision_names(run: Path) -> list[str]:
    """Those that can be evaluated, in the order of training, `best` and `main` last."""
    folder = RunPaths(run).revisions
    names = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(names, key=lambda name: (not name.startswith("step"), len(name), name))


def evaluate(plan: "TrainingPlan", run: Path, name: str) -> Reproduction:
    """Measure a revision as the run did, on the blocks that it held out. Writes nothing in the run.

    Raises:
        ValueError: the revision is damaged, has no recorded eval loss, or the run's text is no longer the same.
    """
    folder = RunPaths(run).revision(name)
    try:
        facts = verify(folder)
    except DamagedError as error:
        step = step_of(name)
        raise ValueError(f"run: {error}; {REPEAT if step is None else remedy(run, step)}") from error
    if facts.get("eval_loss") is None:
        no_loss = "data.validation_share=0 or trainer.limit_val_batches=0"
        why = "was written between two evaluations" if plan.evaluates else no_loss
        raise ValueError(f"run: {run}@{name} has no recorded eval loss to compare with: {why}")
    with quiet():
        loss = _measured(plan, folder, plan.held_out(_data(plan, run)))
    with fitting(folder / NAME):
        step, recorded = from_plain(int, facts["step"], "step"), from_plain(float, facts["eval_loss"], "eval_loss")
    wide = str(plan.trainer.get("precision", "32-true")).startswith(("32", "64"))
    return Reproduction(name, step, loss, recorded, _TOLERANCE if wide else _TOLERANCE_16)


def _data(plan: "TrainingPlan", run: Path) -> "Packed":
    record = RunRecord.read(run)
    before = record.data if record else None
    packed = packed_text(plan, plan.cache, RunPaths(run).cache, recorded=before)
    if packed.identity != before:
        raise ValueError(f"run: {run} was trained on other text: {differences(before, packed.identity)}")
    return packed


def _measured(plan: "TrainingPlan", folder: Path, held_out: list[Any]) -> float:
    from torch.utils.data import DataLoader

    from tl_search.training.callbacks.evaluation import mean_loss

    with loading(folder):
        model = plan.task.load(folder)
    module = plan.task.module(model, timeline_of(plan, Horizon(1), 1), optimizer_of(plan.optimizer))
    trainer = _trainer(plan.trainer.get("accelerator") or "auto", plan.trainer.get("precision"))
    losses: Any = trainer.predict(module, DataLoader(held_out, batch_size=None))  # type: ignore[arg-type]
    return mean_loss(losses, held_out)


def _trainer(accelerator: Any, precision: Any) -> "Trainer":
    """For one device of the kind that the run had; where this machine has none, of the best kind that it has."""
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch import Trainer
    from lightning.pytorch.plugins.environments import LightningEnvironment

    try:
        return Trainer(
            accelerator=accelerator, precision=precision, devices=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
            plugins=[LightningEnvironment()],  # inside a SLURM job too, whose signals are not for this Trainer
        )  # fmt: skip
    except (MisconfigurationException, ModuleNotFoundError, ValueError) as error:  # which Lightning takes it for
        if accelerator == "auto":
            raise ValueError(f"trainer: {' '.join(str(error).split())}") from error
    found = _trainer("auto", precision)
    here = found.strategy.root_device.type
    warnings.warn(
        f"the run was trained with accelerator={accelerator}, which is missing here; the loss was measured on {here}",
        stacklevel=2,
    )
    return found
