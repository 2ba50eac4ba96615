"""`trust_remote_code=[owner/name@COMMIT]`: a person lets the code of a model run, in one command and what it starts.

As with packages (`plugged.py`), only the words of the command line can do this.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from omegaconf import DictConfig

from tl_search.cli.config import by_hand
from tl_search.cli.config.compose import quoted
from tl_search.errors.kinds import BadInput
from tl_search.errors.printable import printable
from tl_search.runs import trusted
from tl_search.runs.trusted import KEY


@contextmanager
def trusting(words: Sequence[str]) -> Iterator[list[str]]:
    """Allow what a command line names; gives its words. Afterwards everything is as it was before.

    Raises:
        BadInput: something is named that is neither a model at a commit nor a folder.
    """
    names = named(words)
    if not names:
        yield list(words)
        return
    with by_hand.for_this_command():
        trusted.allow(names)
        told = printable(", ".join(names))
        print(f"warning: {KEY}: code of these models may run: {told}", file=sys.stderr, flush=True)
        yield [*by_hand.without(KEY, words), f"{KEY}=[{','.join(map(quoted, names))}]"]


def named(words: Sequence[str]) -> tuple[str, ...]:
    """What a command line names, without repetitions. Raises BadInput."""
    found: dict[str, None] = {}
    for value in by_hand.values(KEY, words):
        if not (value.startswith("[") and value.endswith("]")):
            raise BadInput(f"{KEY}: must be a list, as in {KEY}=[owner/name@COMMIT], got {value}")
        try:
            entries = (part.strip(" '\"") for part in value[1:-1].split(",") if part.strip())
            found |= dict.fromkeys(map(trusted.checked, entries))
        except ValueError as error:
            raise BadInput(str(error)) from error
    return tuple(found)


def check_trust(config: DictConfig) -> None:
    """Refuse models that a config file names, instead of the person. Raises BadInput."""
    by_hand.check(KEY, config, named, trusted.allowed())
