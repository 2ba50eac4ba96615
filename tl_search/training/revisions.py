"""What a training run leaves for a search: folders that `transformers` loads as they are."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.checkpoints.index import add_revision
from tl_search.store.atomic import write_dir
from tl_search.store.manifest import write_manifest

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class DivergedError(RuntimeError):
    """Training has left the finite numbers; going on would waste the machine."""


class RevisionWriter:
    """Writes revisions of one run: the folder first, then its line in the index.

    Args:
        run: The run directory.
        tokenizer: Saved with every revision.
        steps_per_epoch: Optimizer steps.
        tokens_per_step: Training tokens.
    """

    def __init__(
        self, run: Path, tokenizer: "PreTrainedTokenizerBase", steps_per_epoch: int, tokens_per_step: int
    ) -> None:
        self.run, self.tokenizer = run, tokenizer
        self.steps_per_epoch, self.tokens_per_step = steps_per_epoch, tokens_per_step

    def facts(self, step: int, stage: str) -> dict[str, Any]:
        """What is known of a step, for manifests and the index."""
        return {
            "name": f"step{step}",
            "step": step,
            "tokens": step * self.tokens_per_step,
            "epoch": step // self.steps_per_epoch,
            "stage": stage,
        }

    def write(self, model: "PreTrainedModel", step: int, stage: str, eval_loss: float | None) -> None:
        """Write, or write again, the revision of a step."""
        check_finite(model, step)
        facts = {**self.facts(step, stage), "eval_loss": eval_loss}
        folder = self.run / "revisions" / facts["name"]
        with write_dir(folder) as aside:
            model.save_pretrained(aside)
            self.tokenizer.save_pretrained(aside)
            write_manifest(aside, **facts)
        add_revision(self.run, folder, **facts)


def write_main(run: Path, step: int) -> None:
    """`revisions/main`: the files of the last step under the name that a model's users look for."""
    source = run / "revisions" / f"step{step}"
    with write_dir(run / "revisions" / "main") as aside:
        for file in sorted(source.iterdir()):
            try:
                os.link(file, aside / file.name)
            except OSError:  # a file system without hard links
                shutil.copyfile(file, aside / file.name)


def check_finite(model: "PreTrainedModel", step: int) -> None:
    """Raises DivergedError when a weight is not finite: such weights are never written."""
    import torch

    with torch.no_grad():
        sums = torch.stack([weight.abs().max().float() for weight in model.parameters()])
    if not torch.isfinite(sums).all():
        raise DivergedError(f"training diverged: the weights after step {step} are not finite")
