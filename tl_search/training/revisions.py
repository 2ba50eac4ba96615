"""Revisions, which a training run writes for a search: folders that `transformers` loads as they are."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.errors.kinds import DivergedError
from tl_search.runs.index import add_revision
from tl_search.runs.layout import SETTINGS, RunPaths
from tl_search.store.atomic import require_space, write_dir, write_text
from tl_search.store.manifest import write_manifest
from tl_search.store.outside import yaml_text
from tl_search.training.context import RunContext

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


def write_revision(
    run: RunContext,
    model: "PreTrainedModel",
    step: int,
    eval_loss: float | None,
    best: float | None,
    measured: Mapping[str, float] | None = None,
) -> None:
    """Write, or write again, the revision of a scheduled step: its folder, then its line in the index.

    Args:
        run: The run of the revision.
        model: With the weights after `step` steps.
        step: Completed steps.
        eval_loss: Eval loss of these weights, in nats per token; None if it was not measured.
        best: The lowest eval loss so far.
        measured: Other measurements of these weights that the index keeps, by name.
    """
    name = f"step{step}"
    more = {"best": best, **({"measured": dict(measured)} if measured else {})}
    write_model(run, model, name, step, eval_loss, **more)
    facts = {**run.timeline.facts(step), "eval_loss": eval_loss, **more}
    run.saves.submit(partial(add_revision, run.folder, run.paths.revision(name), **facts))


def write_model(
    run: RunContext, model: "PreTrainedModel", name: str, step: int, eval_loss: float | None, **more: Any
) -> None:
    """Write a loadable model of any step as `revisions/NAME`, with `more` facts, without a line in the index."""
    weights, folder = model.state_dict(), run.paths.revision(name)
    require_space(folder, sum(weight.nbytes for weight in weights.values()))
    facts = {**run.timeline.facts(step), "eval_loss": eval_loss, **more}

    def fill(copied: "Mapping[str, Tensor]") -> None:
        check_finite(step, copied)
        with write_dir(folder) as aside:
            model.save_pretrained(aside, state_dict=dict(copied))
            run.tokenizer.save_pretrained(aside)
            write_text(aside / SETTINGS, run.settings)
            write_manifest(aside, **facts)

    run.saves.save(step, weights, fill)


def settings(run: Path, identity: Mapping[str, Any]) -> str:
    """The run's settings as YAML: the command's resolved config; without one, the plan's identity."""
    import yaml

    config = RunPaths(run).config
    return yaml_text(config) if config.is_file() else yaml.safe_dump(dict(identity), sort_keys=False)


def check_finite(step: int, weights: "Mapping[str, Tensor]") -> None:
    """Raises DivergedError when a weight is not finite, so that such weights are never written."""
    import torch

    floating = [weight for weight in weights.values() if weight.is_floating_point() and weight.numel()]
    extremes = torch.stack([end.float() for weight in floating for end in weight.aminmax()])  # NaN is both
    if not torch.isfinite(extremes).all():
        raise DivergedError(f"training diverged: the weights after step {step} are not finite", step)
