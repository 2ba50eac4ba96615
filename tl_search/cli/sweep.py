"""Tells of several jobs together: where each of them writes its log, and in the end one table of what they found."""

import sys
from collections.abc import Sequence

from tl_search.cli.config.preflight import Job

_HERE = "BasicLauncher"  # Hydra's own, which runs the jobs in this process


def titles(jobs: Sequence[Job]) -> list[str]:
    """For each job, the settings in which it differs from other jobs."""
    words = [list(job.config.hydra.overrides.task) for job in jobs]
    return [" ".join(word for word in own if any(word not in other for other in words)) for own in words]


def sent_away(jobs: Sequence[Job]) -> bool:
    """Whether a launcher runs the jobs in other processes."""
    return bool(jobs) and not str(jobs[0].config.hydra.launcher.get("_target_")).endswith(_HERE)


def tell_logs(jobs: Sequence[Job]) -> None:
    """Say where each job writes its log, before they start."""
    for number, (job, title) in enumerate(zip(jobs, titles(jobs), strict=True)):
        log = job.folder / f"{job.config.hydra.job.name}.log"
        print(f"job {number}{f' ({title})' if title else ''}: {log}", file=sys.stderr, flush=True)
    if output := jobs[0].config.hydra.launcher.get("submitit_folder"):
        print(f"what jobs print: {str(output).replace('%j', 'JOB')}", file=sys.stderr, flush=True)


def tell_found(jobs: Sequence[Job]) -> None:
    """Print one table of the runs that the jobs have made, finished or not."""
    from tl_search.report.rows import is_run
    from tl_search.report.write import print_table

    if runs := [folder for folder in dict.fromkeys(job.folder for job in jobs) if is_run(folder)]:
        print_table(runs)
