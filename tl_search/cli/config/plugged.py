"""`plugins=[my_package]`: a person allows the classes of a package of their own, in one command and what it starts.

Only the words of the command line can do this, since allowing a package runs its code: a config file that someone else
wrote cannot, and neither can the record of a run that is resumed.
"""

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from omegaconf import DictConfig

from tl_search import plugins
from tl_search.cli.config import by_hand
from tl_search.cli.config.searchpath import root
from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import suggest
from tl_search.errors.printable import printable

KEY = "plugins"


@contextmanager
def plugged(words: Sequence[str]) -> Iterator[list[str]]:
    """Allow the packages that a command line names; gives its words, with the packages' own config folders.

    The working directory is where a package is looked for last. Afterwards everything is as it was before.

    Raises:
        BadInput: there is no such package.
    """
    names = list(named(words))
    if not names:
        yield list(words)
        return
    path = list(sys.path)
    try:
        with by_hand.for_this_command():
            folders = [_folder(name) for name in names]
            plugins.allow((*plugins.allowed(), *(name for name in names if name not in plugins.allowed())))
            told = ", ".join(f"{name} ({folder})" for name, folder in zip(names, folders, strict=True))
            print(f"{KEY}: code of these packages may run: {printable(told)}", file=sys.stderr, flush=True)
            confs = [folder / "conf" for folder in folders if (folder / "conf").is_dir()]
            places = [word for conf in confs for word in ("-cd", str(conf))]
            yield [*places, *by_hand.without(KEY, words), f"{KEY}=[{','.join(names)}]"]
    finally:
        sys.path[:] = path


def named(words: Sequence[str]) -> tuple[str, ...]:
    """The packages that a command line names, without repetitions. Raises BadInput."""
    found: dict[str, None] = {}
    for value in by_hand.values(KEY, words):
        inner = value[1:-1] if value.startswith("[") and value.endswith("]") else value
        names = [part.strip(" '\"") for part in inner.split(",") if part.strip()]
        wrong = [name for name in names if not all(part.isidentifier() for part in name.split("."))]
        if wrong or (inner is value and len(names) != 1):
            raise BadInput(f"{KEY}: must be a list of Python packages, as in {KEY}=[my_package], got {value}")
        found |= dict.fromkeys(names)
    return tuple(found)


def check_word(config: DictConfig) -> None:
    """Refuse packages that a config file names, instead of the person. Raises BadInput."""
    by_hand.check(KEY, config, named, plugins.allowed())


def _folder(name: str) -> Path:
    """The folder that holds a package's modules; its code is not run, unless it is a part of another package."""
    place = str(root())
    if not _found(name) and place not in sys.path:
        sys.path.append(place)  # last: nothing that is installed is hidden by a folder that happens to lie there
        importlib.invalidate_caches()
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), place)))
    if (found := _found(name)) is None:
        beside = [entry.stem for entry in root().iterdir() if entry.suffix == ".py" or any(entry.glob("*.py"))]
        raise BadInput(f"{KEY}: there is no Python package {name}, installed or in {place}{suggest(name, beside)}")
    return found


def _found(name: str) -> Path | None:
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:
        return None
    folders = list((spec and spec.submodule_search_locations) or [])
    origin = folders[0] if folders else spec and spec.origin and Path(spec.origin).parent
    return Path(origin) if origin else None
