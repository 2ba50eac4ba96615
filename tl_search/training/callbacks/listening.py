"""When signals are handled by the run itself."""

from lightning.pytorch import Callback, LightningModule, Trainer

from tl_search.training.interrupts import Interrupts


class Listening(Callback):
    """Installs the run's signal handlers when training starts, and changes what they say when it ends.

    Lightning installs its own just before, which end the run without saving: ours must come later. It is the first of
    all callbacks, since the others may take long before the first step and after the last one.

    Args:
        interrupts: The run's.
    """

    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupts = interrupts

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.interrupts.listen("saving at the end of this step")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.interrupts.listen("finishing the run, whose last step is done")
