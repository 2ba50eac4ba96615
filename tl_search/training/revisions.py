"""What a training run leaves for a search: folders that `transformers` loads as they are."""

import os
import shutil
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.runs.index import add_revision
from tl_search.store.atomic import require_space, write_dir, write_text
from tl_search.store.manifest import write_manifest
from tl_search.training.saving import BackgroundWriter

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CONFIG = "run.yaml"  # the run's settings, in every folder that it leaves


class DivergedError(RuntimeError):
    """Training has left the finite numbers; going on would waste the machine.

    Args:
        message: For a person.
        step: After which the weights are not finite, where it is they.
    """

    def __init__(self, message: str, step: int | None = None) -> None:
        super().__init__(message)
        self.step = step


class RevisionWriter:
    """Writes revisions of one run: the folder first, then its line in the index.

    Args:
        run: The run directory.
        tokenizer: Saved with every revision.
        steps_per_epoch: Optimizer steps.
        tokens_per_step: Training tokens.
        scheduled: Steps that have a revision.
        saves: Does the writing; by default at once.
        settings: The run's, as YAML.
    """

    def __init__(
        self,
        run: Path,
        tokenizer: "PreTrainedTokenizerBase",
        steps_per_epoch: int,
        tokens_per_step: int,
        scheduled: Collection[int] = (),
        saves: BackgroundWriter | None = None,
        settings: str = "",
    ) -> None:
        self.run, self.tokenizer, self.settings = run, tokenizer, settings
        self.steps_per_epoch, self.tokens_per_step = steps_per_epoch, tokens_per_step
        self.scheduled = frozenset(scheduled)
        self.saves = saves or BackgroundWriter(asynchronous=False)

    def facts(self, step: int, stage: str) -> dict[str, Any]:
        """What is known of a step, for manifests and the index."""
        return {
            "name": f"step{step}",
            "step": step,
            "tokens": step * self.tokens_per_step,
            "epoch": step // self.steps_per_epoch,
            "stage": stage,
        }

    def write(
        self, model: "PreTrainedModel", step: int, stage: str, eval_loss: float | None, best: float | None = None
    ) -> None:
        """Write, or write again, the revision of a scheduled step, and enter it in the index."""
        facts = {**self.facts(step, stage), "eval_loss": eval_loss}
        self._save(model, f"step{step}", facts)
        folder = self.run / "revisions" / f"step{step}"
        self.saves.submit(partial(add_revision, self.run, folder, **facts, best=best))

    def write_aside(self, model: "PreTrainedModel", name: str, step: int, stage: str, eval_loss: float | None) -> None:
        """Write a loadable model of any step under another name; it is no revision of the index."""
        self._save(model, name, {**self.facts(step, stage), "eval_loss": eval_loss})

    def _save(self, model: "PreTrainedModel", name: str, facts: Mapping[str, Any]) -> None:
        weights, folder = model.state_dict(), self.run / "revisions" / name
        require_space(folder, sum(weight.nbytes for weight in weights.values()))
        self.saves.save(facts["step"], weights, partial(self._fill, model, folder, facts))

    def _fill(self, model: "PreTrainedModel", folder: Path, facts: Mapping[str, Any], weights: Any) -> None:
        check_finite(facts["step"], weights)
        with write_dir(folder) as aside:
            model.save_pretrained(aside, state_dict=dict(weights))
            self.tokenizer.save_pretrained(aside)
            write_text(aside / CONFIG, self.settings)
            write_manifest(aside, **facts)


def write_main(run: Path, step: int) -> None:
    """`revisions/main`: the files of the last step under the name that a model's users look for."""
    source = run / "revisions" / f"step{step}"
    with write_dir(run / "revisions" / "main") as aside:
        for file in sorted(source.iterdir()):
            try:
                os.link(file, aside / file.name)
            except OSError:  # a file system without hard links
                shutil.copyfile(file, aside / file.name)


def settings(run: Path, identity: Mapping[str, Any]) -> str:
    """What every folder of a run says of its settings: the command's resolved config, else the plan alone."""
    import yaml

    config = run / "config.yaml"
    return config.read_text() if config.is_file() else yaml.safe_dump(dict(identity), sort_keys=False)


def check_finite(step: int, weights: "Mapping[str, Tensor]") -> None:
    """Raises DivergedError when a weight is not finite: such weights are never written."""
    import torch

    floating = [weight for weight in weights.values() if weight.is_floating_point() and weight.numel()]
    extremes = torch.stack([end.float() for weight in floating for end in weight.aminmax()])  # NaN is both
    if not torch.isfinite(extremes).all():
        raise DivergedError(f"training diverged: the weights after step {step} are not finite", step)
