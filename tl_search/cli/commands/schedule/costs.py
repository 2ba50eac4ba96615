"""What a schedule's checkpoints would cost: estimates of disk space and training time, as lines of text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tl_search.plane.horizon import Horizon

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan


def costs(training: "TrainingPlan", steps: Sequence[int], horizon: Horizon, vocabulary: int | None) -> list[str]:
    """One line on disk space and one on time; or one line that says why there is no estimate.

    Args:
        vocabulary: Number of tokens that the tokenizer knows; None if it is not known.
    """
    from tl_search.report.sentences import duration, short
    from tl_search.training import estimate
    from tl_search.training.horizon import timeline_of
    from tl_search.training.trainer import device_count

    vocabulary = vocabulary or estimate.vocabulary(training.tokenizer)
    if vocabulary is None:
        return ["Disk and time: unknown, since the size of the vocabulary is unknown; without horizon.* it is counted"]
    parameters = training.model.parameters(vocabulary)
    weights, state = estimate.revision_bytes(parameters), estimate.state_bytes(parameters, bool(training.ema_decay))
    models, kept = estimate.best_kept(training)[0], estimate.states_kept(training, steps)
    count, most = len(steps) + models, "at most " if models else ""
    best = f" ({models} of them for the best model)" if models else ""
    tokens = timeline_of(training, horizon, horizon.epoch_ends[0]).tokens_at(horizon.total)
    speed = estimate.machine_speed(training.trainer) * device_count(training.trainer)
    seconds = tokens * training.model.flops_per_token(vocabulary) / (speed * estimate.EFFICIENCY)
    return [
        f"Disk, an estimate for {short(parameters)} parameters: "
        f"weights {most}{count} × {short(weights)}B = {short(weights * count)}B{best}, "
        f"full training states at most {kept} × {short(state)}B = {short(state * kept)}B",
        f"Time, an estimate: {duration(seconds)} for {short(tokens)} tokens on this machine, if training reaches "
        f"{estimate.EFFICIENCY:.0%} of its speed in large matrix multiplications, {short(speed)}FLOP/s",
    ]
