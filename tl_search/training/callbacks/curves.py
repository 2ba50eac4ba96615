"""The training curves of a run: loss, perplexity, learning rate, gradient norm, tokens, speed, memory."""

import resource
import sys
import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from tl_search.training.callbacks.evaluation import perplexity
from tl_search.training.timeline import Timeline


class TrainingCurves(Callback):
    """Logs a point of every curve each `every` steps; a loss is the mean since the point before.

    Reading a value makes the host wait for the device, so losses are summed on the device in between. The sums, one
    for each rank, are part of the training state, so that the curves of a resumed run are those of one never stopped.
    """

    def __init__(self, every: int, timeline: Timeline) -> None:
        self.every, self.timeline = every, timeline
        self.sums: dict[str, Tensor] = {}
        self.batches: dict[str, int] = {}  # how many each sum has: a stage may begin between two points

    @property
    def state_key(self) -> str:
        return "Metrics"  # the name of its entry in every training state on disk

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.trainer = trainer

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.step, self.since = trainer.global_step, time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:
        if not trainer.loggers:
            return
        terms = {name: value for name, value in outputs.items() if name != "loss"}
        for name, value in {"loss": outputs["loss"] * trainer.accumulate_grad_batches, **terms}.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.batches[name] = self.batches.get(name, 0) + 1
        step = trainer.global_step
        if step > self.step and (step % self.every == 0 or step == 1):
            self._log(trainer, pl_module, step)

    def _log(self, trainer: Trainer, module: Any, step: int) -> None:
        sums = torch.stack([value.float() for value in self.sums.values()])
        if trainer.world_size > 1:
            sums = trainer.strategy.reduce(sums, reduce_op="mean")
        means = {name: value / self.batches[name] for name, value in zip(self.sums, sums.tolist(), strict=True)}
        now, tokens = time.monotonic(), self.timeline.tokens_at(step)
        seconds = max(now - self.since, 1e-9)
        values = {
            **{f"train/{name}": value for name, value in means.items()},
            "train/lr": trainer.optimizers[0].param_groups[0]["lr"],
            "train/tokens_seen": float(tokens),
            "train/steps_per_second": (step - self.step) / seconds,
            "train/tokens_per_second": (tokens - self.timeline.tokens_at(self.step)) / seconds,
            "train/peak_memory_bytes": float(peak_memory(module.device)),
            "train/epoch": float(trainer.current_epoch),
        }
        if "next_token" in means:
            values["train/perplexity"] = perplexity(means["next_token"])
        if module.grad_norm is not None:
            values["train/grad_norm"] = float(module.grad_norm)
        for logger in trainer.loggers:
            logger.log_metrics(values, step=step)
        self.sums, self.batches, self.step, self.since = {}, {}, step, now

    def state_dict(self) -> dict[str, Any]:
        # called on every rank, though only the first one writes
        sums = {name: self.trainer.strategy.all_gather(value).reshape(-1).cpu() for name, value in self.sums.items()}
        return {"sums": sums, "batches": dict(self.batches)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        rank = self.trainer.global_rank
        self.sums = {name: values[rank] for name, values in state_dict["sums"].items()}
        self.batches = dict(state_dict["batches"])


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that torch has allocated on a GPU, or the most that this process has used on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
