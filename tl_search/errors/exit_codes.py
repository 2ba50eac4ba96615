"""How a command ends, as the number that the shell and a scheduler see."""

from collections.abc import Iterable

DONE = 0
BUG = 1
BAD_INPUT = 2  # a mistake in the command, a setting or a file that the user gave
INCOMPLETE = 3  # done, but some cells could not be scored or measured
LOCKED = 4  # another process works in the run directory
DIVERGED = 5  # the training's loss or weights are not finite any more
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: disk full, no network, time limit; the same command goes on later
INTERRUPTED = 130  # by SIGINT, as from Ctrl-C
UNHEARD = 141  # whoever read the output has gone, as in `tl --help | head -1`; 128 + SIGPIPE
TERMINATED = 143  # by SIGTERM

_WORST_FIRST = (TERMINATED, INTERRUPTED, BUG, DIVERGED, TRY_AGAIN, LOCKED, BAD_INPUT, INCOMPLETE, UNHEARD, DONE)


def worst(codes: Iterable[int]) -> int:
    """The exit code of several jobs together: the one that needs most attention; DONE where there are none."""
    return min(codes, key=_WORST_FIRST.index, default=DONE)
