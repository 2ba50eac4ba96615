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
from tl_search.errors.door import guarded
from tl_search.errors.exit_codes import BAD_INPUT, DONE, UNHEARD
from tl_search.errors.kinds import BadInput, Requeued, Terminated
from tl_search.errors.nearest import suggest
from tl_search.errors.printable import printable, printable_lines
from tl_search.training.quiet import warning_line

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
    try:
        with stopping.one_command():
            code = _dispatch(words)
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
        code, message = explain(error)
        if code == UNHEARD:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115  what is left in the old one cannot be written when Python ends
        else:
            print(message, file=sys.stderr)
        return code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        warnings.formatwarning = told


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

    with plugged(rest) as words:
        return _carry_out(name, words)


def _carry_out(name: str, words: list[str]) -> int:
    from tl_search.cli.config.compose import compose_job, configs, jobs, parse
    from tl_search.cli.config.preflight import preflight
    from tl_search.cli.config.resumed import with_choices
    from tl_search.cli.config.secrets import check_secrets
    from tl_search.cli.in_process import here
    from tl_search.cli.launch import launch

    command = commands.find(name)
    line = parse(name, words, command.bare)
    line = with_choices(line) if command.resumes else line
    if line.runs_nothing:
        return launch(line, [])
    if line.shows_config:  # a config with gaps may be looked at, so only composing is checked
        with configs():
            for overrides in jobs(line):
                check_secrets(compose_job(name, overrides))
        return launch(line, [])
    if not command.makes_run:
        return here(line, command)
    return launch(line, preflight(line, command))


def _hears_ctrl_c() -> bool:
    """Whether Ctrl-C is handled as Python does by itself: a shell's background job ignores it, and others handle it."""
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _terminate(number: int, frame: FrameType | None) -> None:
    stopping.ask(_ENDING[signal.Signals(number)](), frame)
