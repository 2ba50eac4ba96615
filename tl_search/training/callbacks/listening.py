"""From which moment on signals are wishes."""

from lightning.pytorch import Callback, LightningModule, Trainer

from tl_search.training.interrupts import Interrupts


class Listening(Callback):
    """Puts up the run's signal handlers; the first callback, since others may take long before the first step.

    Not sooner: Lightning puts up its own just before, which end the run without saving.

    Args:
        interrupts: The run's.
    """

    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupts = interrupts

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.interrupts.listen()
