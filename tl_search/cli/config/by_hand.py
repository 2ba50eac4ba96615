"""What lets code run is said by a person on the command line: packages (`plugged.py`), models (`trusting.py`).

A config file that someone else wrote cannot say it, and neither can the record of a run that is resumed.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from tl_search.errors.kinds import BadInput


def values(key: str, words: Sequence[str]) -> list[str]:
    """What a command line gives to the setting, each time that it stands there."""
    return [found[1].strip() for word in words if (found := _word(key).fullmatch(word))]


def without(key: str, words: Sequence[str]) -> list[str]:
    """The other words."""
    return [word for word in words if not _word(key).fullmatch(word)]


def _word(key: str) -> re.Pattern[str]:
    return re.compile(rf"\+{{0,2}}{key}=(.*)", re.DOTALL)


@contextmanager
def for_this_command() -> Iterator[None]:
    """What is allowed stands in the environment, for processes that the command starts; afterwards it does not."""
    environment = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)


def check(
    key: str, config: DictConfig, named: Callable[[Sequence[str]], Collection[str]], allowed: Collection[str]
) -> None:
    """Refuse what a config file names, instead of the person.

    Args:
        named: Gives what the words of a command line name.
        allowed: What is allowed in this process.

    Raises:
        BadInput: the setting is not what the command line said, or the words are a file's: those of its sweep.
    """
    if not isinstance(found := config.get(key) or [], list | tuple | ListConfig):
        raise BadInput(f"{key}: must be a list, got {found!r}")
    given = tuple(found)
    words: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)  # they may hold interpolations
    if given != named(words) or not set(given) <= set(allowed):
        raise BadInput(
            f"{key}: must be given on the command line, since it lets code run, got {list(given)} in a config file"
        )
