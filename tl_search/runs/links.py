"""Links in a run directory: a run that somebody else made may not lead what is written into it to another place."""

import os
from pathlib import Path

from tl_search.runs.layout import RunPaths


def refuse_links(run: Path) -> None:
    """Refuse a run with a link that leads out of it, into what is not its own.

    A revision, or a file of one, may be such a link, since revisions are only read and replaced. Links within the run
    are harmless, and some loggers make them.

    Raises:
        ValueError: there is one; the message names it.
    """
    revisions, own = RunPaths(run).revisions, run.resolve()
    for folder, folders, files in os.walk(run):
        if Path(folder) == revisions:
            folders.clear()
            continue
        for link in sorted(path for name in (*folders, *files) if (path := Path(folder, name)).is_symlink()):
            if not link.resolve().is_relative_to(own):
                raise ValueError(
                    f"{link}: is a link to {os.readlink(link)}, but what a run writes must stay in its directory; "
                    "remove the link, or move there what it leads to"
                )
