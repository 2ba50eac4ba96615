"""What a search met on its way, and what a reader should know before relying on its answer."""

from collections.abc import Sequence

from tl_search.report.choice import official, superseded, winners_curse
from tl_search.report.findings import Findings
from tl_search.report.sentences import control_name, count, percent, selection_data, share_sentence
from tl_search.runs.outcome import Outcome
from tl_search.runs.searched_plane import SearchedPlane

LISTED = 20  # revisions that a report lists as left out
HEALED = {"scores": "score", "replicates": "bootstrap file", "columns": "column"}


def not_searched(lines: Sequence[str]) -> list[str]:
    """Which revisions were left out, and why."""
    found = [f"Not searched: {line}." for line in lines[:LISTED]]
    more = len(lines) - LISTED
    return [*found, f"Not searched: {more} more, which are in plane.json."] if more > 0 else found


def chosen_on_share(plane: SearchedPlane) -> list[str]:
    """That arms were chosen on a share of the items, where they were."""
    return [sentence] if (sentence := share_sentence(plane)) else []


def remarks(outcome: Outcome, plane: SearchedPlane) -> list[str]:
    """On what arms were chosen, if not on all items; and what the search met: revisions left out, files made anew."""
    found = [*chosen_on_share(plane), *not_searched(outcome.revisions_left_out)]
    found += [f"{one.sentence}." for one in outcome.suspect]
    if outcome.healed:
        counts = ", ".join(count(number, HEALED.get(what, what)) for what, number in outcome.healed.items())
        found.append(f"Damaged files were found and made anew: {counts}.")
    if (known := outcome.texts_cut) and known.cut:
        found.append(
            f"{known.cut:,} of {count(known.texts, 'text')} ({percent(known.cut / known.texts)}) are longer than "
            f"extraction.max_length={plane.extraction.get('max_length')} tokens; only their start was embedded."
        )
    return found


def caveats(findings: Findings) -> list[str]:
    """What a reader should know before relying on the answer; only what holds for this run."""
    plane, outcome = findings.plane, findings.outcome
    found = []
    if plane.fitted_on and plane.fitted_on.among_scored:
        found.append(
            f"Readouts are transductive: {plane.fitted_on.among_scored:,} of the {plane.fitted_on.texts:,} texts that "
            "they were fitted on are scored, too."
        )
    if not outcome:
        found.append(
            "Nothing here is confirmed on held-out data yet. The score of the arm that was chosen on selection data is "
            "too high on that data, on average."
        )
        found += [*chosen_on_share(plane), *not_searched(plane.left_out)]
    else:
        chosen = (
            "The arm was chosen and reported on the same data (tasks.allow_same_split, or "
            "tasks.selection_split=official), so its score and its gains are too high. "
            if plane.same_split
            else f"The arm was chosen on {selection_data(plane)} and its score is from confirmation data that the "
            "search never saw. "
        )
        found.append(
            f"{chosen}The intervals are bootstrap confidence intervals: they tell how much the scores would vary with "
            "other test items, other rows to train a classifier on, and other clusters. They do not "
            "tell how much they would vary with other training seeds of the model or other datasets."
        )
        found += [*winners_curse(outcome, plane), *official(outcome, plane), *superseded(plane)]
        if plane.is_control(outcome.named.arm):
            found.append(
                f"The best arm is a control ({control_name(plane, outcome.named.arm)}): for these tasks, what the "
                "model learnt about context did not help."
            )
        if len(outcome.tasks) > 1:
            found.append(
                f"The verdicts by task are {len(outcome.tasks)} separate comparisons, each at "
                f"{percent(outcome.confidence)}; they are not corrected for multiple comparisons."
            )
        if outcome.skipped:
            found.append(f"{count(len(outcome.skipped), 'cell')} could not be scored; the table Skipped says why.")
        if outcome.left_out:
            found.append(
                f"The objectives of the compared arms leave out {', '.join(outcome.left_out)}, which could not be "
                "scored for all of these arms."
            )
        found += remarks(outcome, plane)
        if outcome.arms_scored < plane.shape[0] * plane.shape[1]:
            found.append("Some arms were not measured. One of them may be better than the arm that was found.")
    if findings.mean is not None:
        found.append(
            "The colours of the plane are the policy's estimates (posterior mean). Only arms with a dot were measured."
        )
    found.append(
        "Costs come from a cost table, which is part of the run's config; they are not measured times. This keeps the "
        "search the same on every machine."
    )
    return found
