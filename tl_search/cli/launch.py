"""Gives checked jobs to Hydra, which runs them here, as a sweep or on a cluster, and collects their exit codes."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tl_search.cli import commands
from tl_search.cli.command import Command
from tl_search.cli.config import run_folder  # noqa: F401  it makes the names of directories of trainings
from tl_search.cli.config.build import build
from tl_search.cli.config.carried_out import check_slurm
from tl_search.cli.config.compose import CommandLine
from tl_search.cli.config.job_folder import job_folder, make_own
from tl_search.cli.config.preflight import Job
from tl_search.cli.config.resumed import resumed
from tl_search.cli.config.searchpath import conf_dir
from tl_search.cli.config.tried import is_tried
from tl_search.cli.explain import explain
from tl_search.cli.leftovers import no_leftovers
from tl_search.cli.sweep import sent_away, tell_found, tell_logs, titles
from tl_search.errors.console import surviving
from tl_search.errors.door import guarded
from tl_search.errors.exit_codes import BAD_INPUT, INTERRUPTED, TERMINATED, TRY_AGAIN, worst
from tl_search.errors.kinds import JobFailed, Requeued
from tl_search.errors.printable import printable
from tl_search.errors.stopping import check
from tl_search.runs.layout import RunPaths
from tl_search.runs.record import Done

# Exit codes of the jobs of this process, in order; None in a process that a launcher started for one job.
_ended: list[int] | None = None
# The jobs that this process has checked, by their folders and overrides: what was built for that is not built again.
_checked: dict[tuple[Path, tuple[str, ...]], Job] = {}
# What is said when one of these jobs begins, where Hydra is not to speak.
_headings: dict[tuple[Path, tuple[str, ...]], str] = {}


def run_job(config: DictConfig) -> int:
    """One job, in the process that Hydra chose for it.

    In the shell's own process its error is told at once and kept as a code, since other jobs may follow; elsewhere
    it is raised, which is how launchers bring it back.
    """
    from hydra.core.hydra_config import HydraConfig

    hydra = HydraConfig.get()
    command, folder = commands.find(str(hydra.job.config_name)), Path(hydra.runtime.output_dir)
    with guarded(), surviving("stdout", "stderr"):
        return _run_job(config, hydra, command, folder)


def _run_job(config: DictConfig, hydra: Any, command: Command, folder: Path) -> int:
    try:
        check()
        key = folder.resolve(), tuple(hydra.overrides.task)
        job = _checked.get(key)
        if key in _headings:
            print(printable(_headings[key]), file=sys.stderr, flush=True)
        if job is None:
            config = resumed(config, hydra) if command.resumes else config
            job = Job(config, folder, command.plan(build(config)))
        code = command.execute(job.plan, folder, job.config)
    except BaseException as error:
        code, message = explain(error, kept=not is_tried(config))
        if code == BAD_INPUT and not getattr(error, "begun", False):
            _remove_unstarted(folder)
        print(message, end="\n" if message else "", file=sys.stderr, flush=True)
        if isinstance(error, SystemExit) and error.code != code:  # none at all, which a process ends well with
            raise SystemExit(code) from error
        if not isinstance(error, Exception):
            raise
        if _ended is None:  # its traceback stays in the launcher's log; the frames mean nothing elsewhere
            raise JobFailed(code, message) from None
    finally:
        if _ended is not None:
            _ended.append(code)
    return code


def one_of_several() -> bool:
    """Whether this process runs other jobs beside the present one, which are reported on together."""
    return len(_checked) > 1


def launch(line: CommandLine, jobs: list[Job], inner: bool = False) -> int:
    """Run the jobs and give the exit code of them all; several end with a table of what they found.

    Args:
        inner: Whether they are a part of what another command does, which reports on them itself: each says in one line
            on stderr that it begins.
    """
    from hydra.types import RunMode

    away = sent_away(jobs)
    if away and jobs[0].config.hydra.mode == RunMode.MULTIRUN:
        check_slurm(jobs[0].config.hydra.launcher)
        if setting := jobs[0].config.hydra.launcher.get("submitit_folder"):
            make_own(job_folder(str(setting)))
    if away:
        tell_logs(jobs)
    if inner:
        for number, (job, title) in enumerate(zip(jobs, titles(jobs), strict=True), 1):
            _headings[_key(job)] = f"run {number} of {len(jobs)}: {title}"
        return _launch(line, jobs)
    try:
        code = _launch(line, jobs)
    except Exception:
        if len(jobs) > 1 or away:
            tell_found(jobs)
        raise
    if len(jobs) > 1 or away:
        tell_found(jobs)
    return code


def _key(job: Job) -> tuple[Path, tuple[str, ...]]:
    return job.folder.resolve(), tuple(job.config.hydra.overrides.task)


def _launch(line: CommandLine, jobs: list[Job]) -> int:
    import hydra

    from tl_search.cli.config.loader import checked

    global _ended
    codes: list[int] = []
    _ended = codes
    _checked.update({_key(job): job for job in jobs})
    words, environment = sys.argv, dict(os.environ)
    sys.argv = [f"tl {line.command}", *line.flags, *line.overrides]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us as they are, instead of as Hydra's own report
    os.environ["PYTHONSAFEPATH"] = "1"  # the processes of launchers import nothing that lies in the working directory
    _tell_shell_lines(jobs)
    try:
        with checked(), no_leftovers(job.folder for job in jobs):
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=line.command)(run_job)()
    except BaseException as error:
        if codes and codes[-1] == TRY_AGAIN and isinstance(error, Requeued):
            raise SystemExit(TRY_AGAIN) from error  # whatever came of other jobs
        if not codes or codes[-1] not in (INTERRUPTED, TERMINATED):  # not told yet
            raise
    finally:
        _ended = None
        _checked.clear()
        _headings.clear()
        sys.argv = words
        os.environ.clear()
        os.environ.update(environment)
    return worst(codes or [_code_on_disk(job.folder) for job in jobs])


def _tell_shell_lines(jobs: list[Job]) -> None:
    """Show the shell lines that a cluster carries out before a job, as nothing else of a config is carried out."""
    for line in (jobs[0].config.hydra.launcher.get("setup") or ()) if jobs else ():
        print(f"hydra.launcher.setup: each job runs: {line}", file=sys.stderr, flush=True)


def _code_on_disk(folder: Path) -> int:
    done = Done.read(folder)
    if done is not None:
        return done.exit_code
    told = f"error: {folder}: not finished (it has no DONE.json); the same command continues it"
    print(printable(told), file=sys.stderr)
    return TRY_AGAIN


def _remove_unstarted(folder: Path) -> None:
    """Remove a run that ended on a mistake before it did anything: it holds only what it says about itself."""
    run = RunPaths(folder)
    said = {run.record, run.config, run.hydra, run.lock}
    if all(entry in said or entry.suffix == ".log" for entry in folder.iterdir()):
        shutil.rmtree(folder)
