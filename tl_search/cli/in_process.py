"""Runs the commands that make no run directory: in this process, one job after the other.

Hydra is not used for this, since it would write the settings of a sweep into the working directory, and would compose
and plan every job a second time.
"""

import sys

from tl_search.cli import commands
from tl_search.cli.command import Command
from tl_search.cli.config.compose import CommandLine
from tl_search.cli.config.preflight import preflight
from tl_search.cli.explain import explain
from tl_search.cli.sweep import titles
from tl_search.errors.exit_codes import worst
from tl_search.errors.kinds import BadInput
from tl_search.errors.printable import printable
from tl_search.errors.stopping import check


def here(line: CommandLine, command: Command) -> int:
    """Check all jobs and run them; returns the worst of their exit codes. Raises BadInput."""
    for word in line.overrides:
        if word.lstrip("+").startswith("launchers="):
            raise BadInput(f"{word}: must be left out, since tl {line.command} runs here, without a launcher")
    jobs, codes = preflight(line, command), list[int]()
    for job, title in zip(jobs, titles(jobs), strict=True):
        if len(jobs) > 1:
            print(f"# {printable(title)}", flush=True)
        try:
            check()
            codes.append(command.execute(job.plan, job.folder, job.config))
        except BaseException as error:
            code, message = explain(error, kept=line.command not in commands.BEGIN_ANEW)
            print(message, end="\n" if message else "", file=sys.stderr, flush=True)
            codes.append(code)
            if not isinstance(error, Exception):  # the person stopped the command, so the other jobs do not run
                break
    return worst(codes)
