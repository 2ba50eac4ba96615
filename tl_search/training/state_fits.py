"""Whether a full state is of a training's model and of its optimizer, seen before anything of the run is changed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.store.typed_json import fitting
from tl_search.training.branch import OptimizerState
from tl_search.training.entries import optimizer_of
from tl_search.training.full_state import load_state
from tl_search.training.optim import Phase

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer
    from transformers import PreTrainedTokenizerBase

    from tl_search.training.plan import TrainingPlan

BRANCH = "branch_from"
_MODEL = "model."  # of the Lightning module, in front of the names of the network's weights
_ANOTHER = "the run can go on from another state"
_SHOWN = 5
_LIKE_WEIGHTS = ("exp_avg", "exp_avg_sq", "momentum_buffer", "square_avg")  # what optimizers keep in a weight's shape


def check_fits(path: Path, plan: "TrainingPlan", tokenizer: "PreTrainedTokenizerBase", setting: str = "resume") -> None:
    """Compare a state with the weights and the groups of the plan's model, which is built without memory for weights.

    Args:
        setting: Which one names the state, for the message. Of one that a branch begins with, a new optimizer takes
            nothing.

    Raises:
        ValueError: it is of another model or optimizer; the message lists the first tensors that differ.
    """
    import torch

    state = load_state(path)
    with torch.device("meta"):
        model = plan.model.build(tokenizer, 0)
    held = {name.removeprefix(_MODEL): weight for name, weight in state["state_dict"].items()}
    if found := [*_differences(held, model.state_dict())]:
        raise ValueError(f"{setting}: {path} is of another model: {_listed(found)}")
    if setting == BRANCH and plan.branch.optimizer is OptimizerState.reset:
        return
    optimizer, _ = optimizer_of(plan.optimizer).build(model, lambda step: Phase(0, 0, 1))
    with fitting(f"{setting}: {path}", _ANOTHER):
        found = [*_of_another(optimizer, state["optimizer_states"][0])]
    if found:
        what = f"does not hold the state of this {type(optimizer).__name__}"
        raise ValueError(f"{setting}: {path} {what}: {_listed(found)}")


def _differences(held: "Mapping[str, Tensor]", wanted: "Mapping[str, Tensor]") -> Iterator[str]:
    for name, weight in wanted.items():
        if name not in held:
            yield f"{name} is missing"
        elif held[name].shape != weight.shape:
            yield f"{name} is {_shape(held[name])}, must be {_shape(weight)}"
    for name in sorted(held.keys() - wanted.keys()):
        yield f"{name} is {_shape(held[name])}, and the model has none of this name"


def _of_another(optimizer: "Optimizer", held: Mapping[str, Any]) -> Iterator[str]:
    """What an optimizer would not take of a state; a newer torch may have more settings than one that wrote it."""
    fresh, groups = optimizer.param_groups, held["param_groups"]
    if strangers := sorted({str(key) for group in groups for key in group} - fresh[0].keys() - {"initial_lr"}):
        yield f"it has {', '.join(strangers)}, which are settings of another optimizer"
    counts, wanted = [len(group["params"]) for group in groups], [len(group["params"]) for group in fresh]
    if counts != wanted:
        yield f"its groups have {counts} weights, must have {wanted}"
        return
    weights = [weight for group in fresh for weight in group["params"]]
    for number, weight in enumerate(weights):
        for name, kept in held["state"].get(number, {}).items():
            if name in _LIKE_WEIGHTS and getattr(kept, "shape", None) not in (None, weight.shape):
                yield f"{name} of weight {number} is {_shape(kept)}, must be {_shape(weight)}"


def _shape(weight: "Tensor") -> str:
    return " × ".join(map(str, weight.shape)) or "one number"


def _listed(found: Sequence[str]) -> str:
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return "; ".join([*found[:_SHOWN], *more])
