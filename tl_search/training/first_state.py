"""The full state with which a branch begins: its parent's, changed as the branch's policies say."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tl_search.runs.states import save_state
from tl_search.store.atomic import require_space
from tl_search.training.branch import DataOrder, OptimizerState
from tl_search.training.data import stream
from tl_search.training.entries import optimizer_of
from tl_search.training.full_state import load_state
from tl_search.training.lineage import Source, changes
from tl_search.training.packing import PackedText
from tl_search.training.plan import TrainingPlan
from tl_search.training.revisions import settings
from tl_search.training.timeline import Timeline

_PART_OF_THE_MODEL = ("Ema",)  # callbacks whose memory is of the model, and not of the run


def write_first_state(plan: TrainingPlan, packed: PackedText, run: Path, timeline: Timeline, source: Source) -> None:
    """Write the state of the branch's first step into its run directory; from there it resumes like any other run.

    Weights, their average and the number of steps are the parent's. What callbacks remember, such as the best
    evaluation, begins anew: it is of the parent's files.
    """
    from tl_search.training.checkpoint_io import write_state

    state = dict(load_state(source.file))
    state["callbacks"] = {key: value for key, value in state["callbacks"].items() if key in _PART_OF_THE_MODEL}
    if plan.branch.data is DataOrder.restart:
        state["loops"] = _begun_anew(state["loops"], plan.loader(packed, origin=timeline.origin).state_dict())
    other = any(key.startswith("optimizer") for key in changes(source.plan, plan))
    if other or plan.branch.optimizer is OptimizerState.reset:
        state |= _optimized(plan, packed, timeline, source.step, state)
    require_space(run, source.file.stat().st_size)
    facts, said = timeline.facts(source.step), settings(run, plan.identity())
    save_state(run, source.step, facts, said, partial(write_state, state))


def _begun_anew(loops: Mapping[str, Any], place: Mapping[str, int]) -> dict[str, Any]:
    """Lightning's progress as after the last batch of an epoch, which is how a new pass over the text begins."""
    fit = dict(loops["fit_loop"])
    fit["state_dict"] = {**fit["state_dict"], "combined_loader": [dict(place)]}
    epochs = place["epoch"]
    if not epochs:  # nothing was trained yet
        return {**loops, "fit_loop": fit}
    progress = fit["epoch_loop.batch_progress"]
    done = {"ready": place["length"], "started": place["length"], "processed": place["length"]}
    fit["epoch_loop.batch_progress"] = {
        **progress,
        "current": {**done, "completed": place["length"] - 1},
        "is_last_batch": True,
    }
    trained = {"ready": epochs, "started": epochs, "processed": epochs - 1, "completed": epochs - 1}
    fit["epoch_progress"] = {"total": trained, "current": dict(trained)}
    return {**loops, "fit_loop": fit}


def _optimized(
    plan: TrainingPlan, packed: PackedText, timeline: Timeline, step: int, state: Mapping[str, Any]
) -> dict[str, Any]:
    """The entries of an optimizer with the branch's settings, with or without what the parent's has gathered.

    Raises:
        ValueError: the two divide the weights into other groups.
    """
    model = plan.model.build(packed.tokenizer, stream(plan.seed, "weights"))
    optimizer, rate = optimizer_of(plan.optimizer).build(model, timeline.phase_at)
    fresh = optimizer.state_dict()
    rate.last_epoch, rate._step_count = step, step + 1
    rates = {**rate.state_dict(), "_is_initial": False}
    if plan.branch.optimizer is OptimizerState.reset:
        return {"optimizer_states": [fresh], "lr_schedulers": [rates]}
    before = state["optimizer_states"][0]
    if [len(group["params"]) for group in before["param_groups"]] != [
        len(group["params"]) for group in fresh["param_groups"]
    ]:
        raise ValueError("branch.optimizer: must be reset, since the optimizer divides the weights into other groups")
    return {"optimizer_states": [{**before, "param_groups": fresh["param_groups"]}], "lr_schedulers": [rates]}
