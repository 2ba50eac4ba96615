"""Task objects by name, ours and mteb's: a new one for every evaluation.

A task object of mteb holds the state of a random generator, so evaluating the same object twice gives two different
scores. Making one also seeds the generators of `random`, numpy and torch for the whole process, which is undone here.
"""

import difflib
from importlib import import_module
from typing import TYPE_CHECKING

from tl_search import plugins
from tl_search.scoring.randomness import undisturbed_randomness

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask

HOME = "tl_search.scoring.tasks"


def task_names() -> tuple[str, ...]:
    """The names of the tasks that do not come from mteb; nothing is imported for it, since mteb takes seconds."""
    return tuple(plugins.classes(HOME))


def get_task(name: str) -> "AbsTask":
    """A fresh task object; the process's random generators are left as they were.

    Raises:
        ValueError: neither our folder of tasks, nor those of allowed packages, nor mteb have a task of that name.
    """
    own = plugins.classes(HOME)
    with undisturbed_randomness():
        import mteb

        if name in own:
            task = getattr(import_module(own[name]), name)
            if not issubclass(task, mteb.AbsTask) or task.metadata.name != name:
                raise ValueError(f"task: {own[name]}.{name} must be an mteb task whose metadata has the name {name!r}")
            return task()
        try:
            return mteb.get_task(name)
        except KeyError:
            raise ValueError(_unknown(name)) from None


def _unknown(name: str) -> str:
    from mteb.get_tasks import _TASKS_REGISTRY  # listing names the public way makes every task

    own = task_names()
    names = {known.lower(): known for known in (*_TASKS_REGISTRY, *own)}
    near = [names[match] for match in difflib.get_close_matches(name.lower(), names, n=3)]
    hint = f"did you mean {', '.join(near)}?" if near else f"our own tasks: {', '.join(own)}"
    return f"task: no task {name!r}; {hint}"
