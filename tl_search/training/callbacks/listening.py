"""From which moment on a signal waits for the step's end."""

from lightning.pytorch import Callback, LightningModule, Trainer

from tl_search.training.interrupts import Interrupts


class Listening(Callback):
    """Puts up the run's signal handlers; the first callback, since others may take long before and after the steps.

    Not sooner: Lightning puts up its own just before, which end the run without saving.

    Args:
        interrupts: The run's.
    """

    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupts = interrupts

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.interrupts.listen("saving at the end of this step")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.interrupts.listen("finishing the run, whose last step is done")
