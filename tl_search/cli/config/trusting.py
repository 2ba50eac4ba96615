"""`trust_remote_code=[owner/name@COMMIT]`: a person lets the code of a model run, in one command and what it starts.

As with packages (`plugged.py`), only the words of the command line can do this.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tl_search.cli.config.compose import quoted
from tl_search.errors.kinds import BadInput
from tl_search.errors.printable import printable
from tl_search.runs import trusted
from tl_search.runs.trusted import KEY

_WORD = re.compile(rf"\+{{0,2}}{KEY}=(.*)", re.DOTALL)


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
    environment = dict(os.environ)
    try:
        trusted.allow(names)
        print(
            f"warning: {KEY}: code of these models may run: {printable(', '.join(names))}", file=sys.stderr, flush=True
        )
        yield [*(word for word in words if not _WORD.fullmatch(word)), f"{KEY}=[{','.join(map(quoted, names))}]"]
    finally:
        os.environ.clear()
        os.environ.update(environment)


def named(words: Sequence[str]) -> tuple[str, ...]:
    """What a command line names, without repetitions. Raises BadInput."""
    found: dict[str, None] = {}
    for word in words:
        if match := _WORD.fullmatch(word):
            value = match[1].strip()
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
    given = tuple(config.get(KEY) or ())
    words: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    if given != named(words) or not set(given) <= set(trusted.allowed()):  # the words may be a file's: its sweep's
        raise BadInput(
            f"{KEY}: must be given on the command line, since it lets code run, got {list(given)} in a config file"
        )
