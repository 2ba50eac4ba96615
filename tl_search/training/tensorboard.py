"""TensorBoard's event files, with the settings by which its HPARAMS page sorts runs."""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from tl_search.store.atomic import write_text
from tl_search.store.outside import read_yaml

# The curves whose last points stand beside a run's settings.
SORTED_BY = ("eval/loss", "eval/best_loss", "train/loss")


class EventFiles(TensorBoardLogger):
    """Lightning's logger, except that hyperparameters only name the curves that they belong to.

    Lightning's own would log a first point of each curve, before anything is measured, and once more after a resume.
    """

    @property
    def _told(self) -> Path:
        return Path(self.log_dir, self.NAME_HPARAMS_FILE)

    def has(self, params: Mapping[str, Any]) -> bool:
        """Whether these hyperparameters are in the files already."""
        try:
            return self._told.is_file() and read_yaml(self._told) == params
        except ValueError:  # it is written again
            return False

    @rank_zero_only
    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, metrics: dict[str, Any] | None = None, step: int | None = None
    ) -> None:
        from torch.utils.tensorboard.summary import hparams

        known = dict(params) if isinstance(params, dict) else vars(params)
        self.hparams.update(known)
        writer = self.experiment._get_file_writer()
        for summary in hparams(known, metrics or dict.fromkeys(SORTED_BY, 0.0)):  # their values are not written
            writer.add_summary(summary, step)

    @rank_zero_only
    def save(self) -> None:
        super().save()  # it keeps a file of hyperparameters that is there
        if self.hparams and not self.has(dict(self.hparams)):
            write_text(self._told, yaml.safe_dump(dict(self.hparams), sort_keys=False, allow_unicode=True))
