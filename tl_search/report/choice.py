"""What a report says of the choice itself: what it adds to a score, and the finalists' scores as others report them."""

from tl_search.plane.share import ALL
from tl_search.report.sentences import selection_data
from tl_search.runs.outcome import Outcome
from tl_search.runs.searched_plane import SearchedPlane


def winners_curse(outcome: Outcome, plane: SearchedPlane) -> list[str]:
    """How much the chosen arm falls from the data that chose it to held-out data, beside an arm that nobody chose."""
    chosen, other = outcome.best.fall, outcome.final_last.fall
    if plane.same_split or chosen is None or other is None or outcome.best.arm == outcome.final_last.arm:
        return []
    return [
        f"Winner's curse: the arm that the search chose scores {outcome.best.selection.objective or 0:.2f} on "
        f"{selection_data(plane)} and {outcome.best.confirmation.objective:.2f} on held-out data, a difference of "
        f"{chosen:+.2f}. The last layer of the final checkpoint, which was not chosen, differs by {other:+.2f}, "
        f"since the data differ; {chosen - other:+.2f} is the estimate of what the choice itself added."
    ]


def official(outcome: Outcome, plane: SearchedPlane) -> list[str]:
    """The finalists' scores on whole official splits, where arms were chosen on a half of one."""
    arms = (("the chosen arm", outcome.best), ("the final checkpoint's last layer", outcome.final_last),
            ("its best layer", outcome.final_best), ("the last layer with the same readout", outcome.same_readout),
            ("the chosen layer without the readout", outcome.as_raw))  # fmt: skip
    scores = [(who, one.official and one.official.objective) for who, one in arms if one is not None]
    told = [f"{who} {value:.2f}" for who, value in scores if value is not None]
    if len(told) < len(scores):
        return []
    part = "Half of these items" if plane.items == ALL else f"{plane.items} of one half of these items"
    return [
        f"On the whole official splits, as others report them: {', '.join(told)}. {part} chose the arm, "
        "so they do not show that it is better."
    ]


def superseded(plane: SearchedPlane) -> list[str]:
    """The tasks that mteb has newer versions of."""
    old = [f"{task.name} (now {task.superseded_by})" for task in plane.tasks if task.superseded_by]
    return [f"Superseded tasks, of which mteb has newer versions: {', '.join(old)}."] if old else []
