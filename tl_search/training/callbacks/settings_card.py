"""Shows loggers the settings of a run: as hyperparameters to sort runs by, and to TensorBoard also as a text."""

from collections.abc import Sequence
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from tl_search.runs.identity import flat
from tl_search.store.keys import digest
from tl_search.training.tensorboard import EventFiles

_PLACES = {"runs", "cache", "ledger", "embeddings", "plugins"}  # they say nothing of a run


class SettingsCard(Callback):
    """Tells each logger once. What was told is part of the training state, so a resumed run tells only what is new.

    Args:
        settings: The run's settings as YAML.
        tags: Words that a person gave the run.
    """

    def __init__(self, settings: str, tags: Sequence[str] = ()) -> None:
        self.settings, self.tags = settings, tags
        self.told: dict[str, str] = {}  # class of a logger → digest of what it was told

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        now, chosen = digest([self.settings, *self.tags]), hyperparameters(self.settings, self.tags)
        for logger in trainer.loggers:
            name = type(logger).__name__
            before, self.told[name] = self.told.get(name), now
            # a run that was killed before its first state begins anew, but what it told TensorBoard is still there
            if before == now or (before is None and isinstance(logger, EventFiles) and logger.has(chosen)):
                continue
            logger.log_hyperparams(chosen)
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_text("config", f"```yaml\n{self.settings.rstrip()}\n```", trainer.global_step)
            logger.save()

    def state_dict(self) -> dict[str, Any]:
        return {"told": dict(self.told)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.told = dict(state_dict["told"])


def hyperparameters(settings: str, tags: Sequence[str] = ()) -> dict[str, bool | int | float | str]:
    """The numbers and words among settings by their path, such as `optimizer.lr`; no lists, folders and classes."""
    found = {
        path: value
        for path, value in flat(yaml.safe_load(settings)).items()
        if isinstance(value, bool | int | float | str) and path not in _PLACES and not path.endswith("_target_")
    }
    return {**found, "tags": ", ".join(tags)} if tags else found
