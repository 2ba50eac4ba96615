"""The command of the search that was written before, and a reader of all that a run holds: for tests of its files."""

import tl_search

# What the search's command means now: `sampling=dense` picked every revision then.
AGAIN = (
    *("tasks=stdlib_quick", "sampling=dense", "sampling.interval=0", "sampling.first=true"),
    *("budget.share=1", "confirm.resamples=100", "name=found"),
)


def opened(folder: str) -> int:
    """Exit code 0, as of a command that went well; the errors of the reader are raised."""
    run = tl_search.open_run(folder)
    run.record, run.done, run.result, run.revisions  # noqa: B018
    if run.plane:
        run.scores()
        run.pulls()
        run._where("step6")
    return 0
