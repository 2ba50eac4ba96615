"""The callback that `Progress` configures."""

import sys
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tl_search.training.callbacks.evaluation import perplexity
from tl_search.training.callbacks.measurements import Measurements


class ProgressLines(Callback):
    """Writes a line to stderr when training starts, every `seconds`, and at the last step."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        self.first = self.last = trainer.global_step
        self.started = self.written = time.monotonic()
        start = "starting" if not self.first else f"continuing from step {self.first:,}"
        sizes = f"{sum(weight.numel() for weight in pl_module.parameters()):,} parameters"
        where = f"{trainer.world_size} × {pl_module.device.type}" if trainer.world_size > 1 else f"{pl_module.device}"
        _say(f"training: {sizes}, {trainer.max_steps:,} steps, on {where}; {start}")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:
        step, now = trainer.global_step, time.monotonic()
        if not trainer.is_global_zero or step == self.last:  # called once per batch, of which a step may have several
            return
        if step < trainer.max_steps and now - self.written < self.seconds:
            return
        self.last, self.written = step, now
        _say(self._line(trainer, pl_module, outputs, step, now - self.started))

    def _line(self, trainer: Trainer, module: Any, outputs: Any, step: int, seconds: float) -> str:
        loss = float(outputs["loss"]) * trainer.accumulate_grad_batches
        rate = (step - self.first) / seconds
        tokens = module.timeline.tokens_at(step) - module.timeline.tokens_at(self.first)
        measured = Measurements.of(trainer).latest.get("eval/loss")
        held_out = f" (eval {measured[1]:.3f})" if measured else ""
        # not of the loss, to which other terms may add
        guess = f"perplexity {perplexity(float(outputs['next_token'])):,.1f}  " if "next_token" in outputs else ""
        return (
            f"step {step:,}/{trainer.max_steps:,}  loss {loss:.3f}{held_out}  {guess}"
            f"lr {trainer.optimizers[0].param_groups[0]['lr']:.1e}  {tokens / seconds:,.0f} tokens/s  "
            f"{_clock((trainer.max_steps - step) / rate)} left"
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
