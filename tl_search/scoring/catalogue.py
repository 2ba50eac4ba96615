"""Task objects by name, ours and mteb's: a new one for every evaluation.

A task object of mteb holds the state of a random generator, so evaluating the same object twice gives two different
scores. Making one also seeds the generators of `random`, numpy and torch for the whole process, which is undone here.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search import plugins
from tl_search.errors.nearest import nearest_names
from tl_search.scoring.randomness import undisturbed_randomness

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask

HOME = "tl_search.scoring.tasks"


def task_names() -> tuple[str, ...]:
    """The names of the tasks that do not come from mteb; nothing is imported for it, since mteb takes seconds."""
    return tuple(plugins.classes(HOME))


def check_names(names: Iterable[str]) -> None:
    """Refuse names of no task, and of aggregates, in much less time than mteb takes to be imported.

    Raises:
        ValueError: as `get_task`.
    """
    for name in names:
        if name in task_names() or mteb_names().get(name) is False:
            continue
        if name not in mteb_names():
            raise ValueError(_unknown(name))
        get_task(name)


@cache
def mteb_names() -> Mapping[str, bool]:
    """The names of mteb's tasks, and whether each may be an aggregate; read from mteb's source without importing it."""
    names: dict[str, bool] = {}
    found = find_spec("mteb")
    for package in (found and found.submodule_search_locations) or ():
        for file in Path(package, "tasks").rglob("*.py"):
            source = file.read_text(encoding="utf-8", errors="replace")
            names |= dict.fromkeys(re.findall(r'\bname\s*=\s*"([^"\n]+)"', source), "AbsTaskAggregate" in source)
    return names


def get_task(name: str) -> "AbsTask":
    """A fresh task object; the process's random generators are left as they were.

    Raises:
        ValueError: neither our folder of tasks, nor those of allowed packages, nor mteb have a task of that name, or it
            is an aggregate, which has no data of its own.
    """
    own = plugins.classes(HOME)
    with undisturbed_randomness():
        import mteb

        if name in own:
            task = getattr(import_module(own[name]), name)
            if not issubclass(task, mteb.AbsTask) or task.metadata.name != name:
                raise ValueError(f"names: {own[name]}.{name} must be an mteb task whose metadata has the name {name!r}")
            return task()
        try:
            task = mteb.get_task(name)
        except KeyError:
            raise ValueError(_unknown(name)) from None
    if task.is_aggregate:
        parts = ", ".join(part.metadata.name for part in task.metadata.tasks)  # type: ignore[attr-defined]  # of aggregates
        raise ValueError(f"names: must be single tasks, got {name}, which is an aggregate; name its tasks: {parts}")
    return task


def _unknown(name: str) -> str:
    own = task_names()
    near = nearest_names(name, (*mteb_names(), *own), 3)
    hint = f"did you mean {', '.join(near)}?" if near else f"our own tasks: {', '.join(own)}"
    return f"names: no task {name!r}; {hint}"
