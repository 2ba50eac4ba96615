"""The entry point of the command line: picks a command, and turns each way in which it can end into an exit code.

0 done · 1 a bug · 2 bad input · 3 done, but some arms were skipped or failed · 4 the run is in use · 5 training
diverged · 75 try again later (disk full, read-only, no network) · 130 interrupted ·
141 nobody reads the output · 143 terminated
"""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from types import FrameType

from tl_search import __version__
from tl_search.cli import commands
from tl_search.cli.config.secrets import check_words
from tl_search.cli.explain import explain
from tl_search.cli.help import command_page, overview
from tl_search.errors import stopping
from tl_search.errors.console import silence, surviving
from tl_search.errors.door import guarded
from tl_search.errors.exit_codes import BAD_INPUT, DONE, INCOMPLETE
from tl_search.errors.kinds import BadInput, Requeued, Terminated
from tl_search.errors.nearest import suggest
from tl_search.errors.printable import printable, printable_lines
from tl_search.training.quiet import warning_line

# Else the Hub's client sends torch's version, and asks for a list of programs to find out which one starts it.
_TELLS_NOTHING = "HF_HUB_DISABLE_TELEMETRY"
HELP = {"-h", "--help", "help"}
_ENDING = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: Terminated,
    signal.SIGUSR1: Requeued,
    signal.SIGUSR2: Requeued,
}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code."""
    with guarded():
        return _main(list(sys.argv[1:] if words is None else words))


def _main(words: list[str]) -> int:
    ours = [number for number in _ENDING if number != signal.SIGINT or _hears_ctrl_c()]
    before = {number: signal.signal(number, _terminate) for number in ours}
    told, warnings.formatwarning = warnings.formatwarning, warning_line
    said = _TELLS_NOTHING in os.environ
    os.environ.setdefault(_TELLS_NOTHING, "1")
    try:
        with surviving("stderr"), stopping.one_command():
            return _ended(words)
    finally:
        if not said:
            os.environ.pop(_TELLS_NOTHING, None)
        for number, handler in before.items():
            signal.signal(number, handler)
        warnings.formatwarning = told


def _ended(words: list[str]) -> int:
    """The exit code of one command line; a message that belongs to it is on stderr."""
    try:
        code = _dispatch(words)
        if code in (DONE, INCOMPLETE):
            sys.stdout.flush()  # here, where it can still be told that nobody reads it
        return code
    except BadInput as error:
        if os.environ.get("TL_DEBUG") == "1":
            print(printable_lines("".join(traceback.format_exception(error)).rstrip()), file=sys.stderr)
        else:
            print(f"error: {printable(error)}", file=sys.stderr)
        return BAD_INPUT
    except SystemExit as error:  # Hydra ends its own flags (--version, --info) this way
        return error.code if isinstance(error.code, int) else DONE if error.code is None else 1
    except BaseException as error:
        code, message = explain(error, kept=not {*words[:1]} & {*commands.BEGIN_ANEW})
        print(message, end="\n" if message else "", file=sys.stderr)
        return code
    finally:
        try:
            sys.stdout.flush()
        except OSError:  # told already, if anybody is there; Python would say it once more when it ends
            silence(sys.stdout)


def _dispatch(words: list[str]) -> int:
    if not words:
        print(overview(), file=sys.stderr)
        return BAD_INPUT
    check_words(words)
    name, *rest = words
    if name in HELP:
        if rest and rest[0] not in commands.NAMES:
            raise BadInput(f"{rest[0]}: no such command{suggest(rest[0], commands.NAMES)}")
        print(command_page(rest[0]) if rest else overview())
        return DONE
    if name == "--version":
        print(__version__)
        return DONE
    if name == "init":
        from tl_search.cli.commands.init import init

        return init(rest)
    if name not in commands.NAMES:
        raise BadInput(f"{name}: no such command{suggest(name, (*commands.NAMES, 'init'))}")
    if HELP & set(rest):
        print(command_page(name))
        return DONE
    return _run(name, rest)


def _run(name: str, rest: list[str]) -> int:
    from tl_search.cli.config.plugged import plugged
    from tl_search.cli.config.trusting import trusting

    with plugged(rest) as own, trusting(own) as words:
        return _carry_out(name, words)


def _carry_out(name: str, words: list[str]) -> int:
    from tl_search.cli.config.compose import check_shown, compose_job, configs, parse
    from tl_search.cli.config.compose import jobs as overrides_of
    from tl_search.cli.config.preflight import preflight
    from tl_search.cli.config.resumed import with_choices
    from tl_search.cli.config.secrets import check_secrets
    from tl_search.cli.config.tried import in_passing, is_tried
    from tl_search.cli.in_process import here
    from tl_search.cli.launch import launch

    command = commands.find(name)
    line = parse(name, command.rewrite(words), command.bare)
    line = with_choices(line) if command.resumes else line
    if line.runs_nothing:
        return launch(line, [])
    if line.shows_config:  # a config with gaps may be looked at, so only composing is checked
        with configs():
            for overrides in overrides_of(line):
                config = compose_job(name, overrides)
                check_shown(line, config)
                check_secrets(config)
        return launch(line, [])
    if not command.makes_run:
        return here(line, command)
    with surviving("stdout"):
        jobs = preflight(line, command)
        if not any(is_tried(job.config) for job in jobs):
            return launch(line, jobs)
        with in_passing(line, [job.config for job in jobs]) as passing:
            return launch(passing, preflight(passing, command))


def _hears_ctrl_c() -> bool:
    """Whether Ctrl-C is handled as Python does by itself: a shell's background job ignores it, and others handle it."""
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _terminate(number: int, frame: FrameType | None) -> None:
    stopping.ask(_ENDING[signal.Signals(number)](), frame)
