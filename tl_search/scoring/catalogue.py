"""Task objects by name, ours, a person's and mteb's: a new one for every evaluation; and mteb's lists of tasks.

A task object of mteb holds the state of a random generator, so evaluating the same object twice gives two different
scores. Making one also seeds the generators of `random`, numpy and torch for the whole process, which is undone here.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search import plugins
from tl_search.errors.nearest import nearest_names
from tl_search.scoring.folder.tasks import folder_task, folder_tasks
from tl_search.scoring.randomness import undisturbed_randomness

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask

HOME = "tl_search.scoring.tasks"


def task_names() -> tuple[str, ...]:
    """The names of the tasks that do not come from mteb; nothing is imported for it, since mteb takes seconds."""
    return tuple(plugins.classes(HOME))


def check_names(names: Iterable[str], folder: Path | None = None) -> None:
    """Refuse names of no task or benchmark, and of aggregates, in much less time than mteb takes to be imported.

    Raises:
        ValueError: as `get_task`, or a task in the folder is not described as it must be.
    """
    own = {} if folder is None else folder_tasks(folder)
    for name in names:
        if name in task_names() or name in own or mteb_names().get(name) is False or name in benchmark_names():
            continue
        if name not in mteb_names():
            raise ValueError(_unknown(name, folder))
        get_task(name)


@cache
def benchmark_names() -> frozenset[str]:
    """The names of mteb's benchmarks, with their other names; read from mteb's source without importing it."""
    names: set[str] = set()
    for file in _sources("benchmarks"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8", errors="replace"))):
            if isinstance(call, ast.Call):
                given = [word.value for word in call.keywords if word.arg in ("name", "aliases")]
                words = (part.value for value in given for part in ast.walk(value) if isinstance(part, ast.Constant))
                names |= {word for word in words if isinstance(word, str)}
    return frozenset(names)


def named_tasks(names: Iterable[str], types: Sequence[str] = (), folder: Path | None = None) -> dict[str, str | None]:
    """The tasks that are meant by names of tasks and of benchmarks: task → its subsets in the benchmark.

    Args:
        types: mteb's types of the tasks that are kept; all where it is empty.
        folder: A folder of a person's own tasks; all of them are meant where there are no names.

    Raises:
        ValueError: there is no such task, benchmark or type, or no task of these types.
    """
    own = {} if folder is None else folder_tasks(folder)
    found: dict[str, str | None] = {}
    for name in list(names) or sorted(own):
        if name in own or name not in benchmark_names() or name in mteb_names():
            found.setdefault(name, None)
            continue
        with undisturbed_randomness():
            import mteb

            for task in mteb.get_benchmark(name).tasks:
                several = len(task.metadata.hf_subsets) > 1
                found.setdefault(task.metadata.name, ",".join(task.hf_subsets) if several else None)
    if not types:
        return found
    kinds = {name: get_task(name, folder).metadata.type for name in found}
    absent = [one for one in types if one not in kinds.values()]
    if absent:
        known = ", ".join(sorted(set(kinds.values())))
        raise ValueError(f"types: must be among those of the tasks, {known}, got {absent[0]}")
    return {name: subset for name, subset in found.items() if kinds[name] in types}


@cache
def mteb_names() -> Mapping[str, bool]:
    """The names of mteb's tasks, and whether each may be an aggregate; read from mteb's source without importing it."""
    names: dict[str, bool] = {}
    for file in _sources("tasks"):
        source = file.read_text(encoding="utf-8", errors="replace")
        names |= dict.fromkeys(re.findall(r'\bname\s*=\s*"([^"\n]+)"', source), "AbsTaskAggregate" in source)
    return names


def _sources(folder: str) -> Iterator[Path]:
    found = find_spec("mteb")
    for package in (found and found.submodule_search_locations) or ():
        yield from Path(package, folder).rglob("*.py")


def get_task(name: str, folder: Path | None = None) -> "AbsTask":
    """A fresh task object; the process's random generators are left as they were.

    Args:
        folder: A folder of a person's own tasks, in which the name is looked up first.

    Raises:
        ValueError: neither our folder of tasks, nor those of allowed packages, nor mteb have a task of that name, or it
            is an aggregate, which has no data of its own.
    """
    own = plugins.classes(HOME)
    with undisturbed_randomness():
        import mteb

        if folder is not None and name in folder_tasks(folder):
            return folder_task(folder, name)
        if name in own:
            task = getattr(import_module(own[name]), name)
            if not issubclass(task, mteb.AbsTask) or task.metadata.name != name:
                raise ValueError(f"names: {own[name]}.{name} must be an mteb task whose metadata has the name {name!r}")
            return task()
        try:
            task = mteb.get_task(name)
        except KeyError:
            raise ValueError(_unknown(name, folder)) from None
    if task.is_aggregate:
        parts = ", ".join(part.metadata.name for part in task.metadata.tasks)  # type: ignore[attr-defined]  # of aggregates
        raise ValueError(f"names: must be single tasks, got {name}, which is an aggregate; name its tasks: {parts}")
    return task


def _unknown(name: str, folder: Path | None = None) -> str:
    own = (*task_names(), *(() if folder is None else folder_tasks(folder)))
    near = nearest_names(name, (*mteb_names(), *benchmark_names(), *own), 3)
    hint = f"did you mean {', '.join(near)}?" if near else f"our own tasks: {', '.join(own)}"
    return f"names: no task {name!r}; {hint}"
