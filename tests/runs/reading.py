"""Reads all that `open_run` gives of a run, for tests of damaged and hostile files."""

import tl_search


def opened(folder: str) -> int:
    """Exit code 0, as of a command that went well; the errors of the reader are raised."""
    run = tl_search.open_run(folder)
    run.record, run.done, run.result, run.revisions  # noqa: B018
    if run.plane:
        run.scores()
        run.pulls()
        run._where("step6")
    return 0
