"""A callback that does the same when training starts and after every batch."""

from abc import abstractmethod
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class EachBatch(Callback):
    """Also acts before the first batch: at step 0, or at the step from which a resumed run goes on."""

    @abstractmethod
    def act(self, trainer: Trainer, module: Any) -> None:
        """What is done. A step may have several batches: then this is called several times in a step."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.act(trainer, pl_module)  # not in on_fit_start, where the step of a resumed run is not known yet

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.act(trainer, pl_module)
