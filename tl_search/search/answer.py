"""What a finished search and its confirmation found, as the result that is written."""

from collections.abc import Mapping

from tl_search.plane.arm import Arm
from tl_search.plane.pull import Cost
from tl_search.runs.outcome import Charged, Finalist, Gains, Outcome, Selected, Skipped
from tl_search.runs.searched_plane import Seconds
from tl_search.search.confirm import Confirmation
from tl_search.search.finalists import Finalists
from tl_search.search.loop import Search


def answer(
    search: Search,
    finalists: Finalists,
    confirmation: Confirmation,
    stopped: str,
    exhaustive: Cost,
    seconds: Mapping[str, float],
) -> Outcome:
    """Who was named, how much better it is than its rivals, task by task too, and what that cost.

    Args:
        stopped: Why the search ended.
        exhaustive: The cost of scoring every cell.
        seconds: Of the clock, by phase.
    """

    def finalist(arm: Arm) -> Finalist:
        selected = Selected(search.objective(arm), search.points.get(arm, {}))
        return Finalist(arm.name, selected, confirmation.confirmed(arm))

    same_readout, as_raw = finalists.same_readout, finalists.as_raw
    spent = search.spending.spent
    failures = [
        *search.failures.items(),
        *((cell, f"confirmation: {reason}") for cell, reason in confirmation.failures.items()),
    ]
    return Outcome(
        best=finalist(finalists.best),
        final_last=finalist(finalists.final_last),
        final_best=finalist(finalists.final_best),
        gains=Gains(
            confirmation.gain(finalists.best, finalists.final_last),
            confirmation.gain(finalists.best, finalists.final_best),
            *(None if arm is None else confirmation.gain(finalists.best, arm) for arm in (same_readout, as_raw)),
        ),
        same_readout=None if same_readout is None else finalist(same_readout),
        as_raw=None if as_raw is None else finalist(as_raw),
        confidence=confirmation.settings.confidence,
        tasks=confirmation.verdicts(finalists),
        cost=Charged(
            search=Seconds.of(spent),
            exhaustive=Seconds.of(exhaustive),
            confirmation=Seconds.of(confirmation.spending.spent),
            share=round(spent.total / exhaustive.total, 4),
        ),
        stopped=stopped,
        pulls=len(search.trajectory.steps),
        arms_scored=len(search.points),
        left_out=tuple(confirmation.left_out),
        skipped=tuple(Skipped(arm.name, task, reason) for (arm, task), reason in failures),
        seconds=seconds,
    )
