"""Task objects by name, ours and mteb's: a new one for every evaluation.

A task of mteb carries the state of a random generator, so that evaluating one object twice
gives two scores; and making one seeds the generators of `random`, numpy and torch for the
whole process. Both stay in here.
"""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING

from tl_search.scoring.randomness import undisturbed_randomness

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask

# Name -> module whose TASKS holds the class. Spelled out, because names are asked for
# (completion, config errors) when importing mteb would take seconds.
_OWN = dict.fromkeys(
    (
        "StdlibDocstringRetrieval",
        "StdlibVerbClassification",
        "StdlibStatementClassification",
        "StdlibIndentClassification",
        "StdlibTypoClassification",
        "StdlibTokenOrderClassification",
        "StdlibLineOrderClassification",
        "StdlibPackageClustering",
        "StdlibHalvesPairClassification",
    ),
    "tl_search.scoring.stdlib_tasks",
)


def task_names() -> tuple[str, ...]:
    """The names of our own tasks; mteb's come on top."""
    return tuple(_OWN)


def get_task(name: str) -> AbsTask:
    """A fresh task object; whatever was random before goes on as if nothing had happened.

    Raises:
        ValueError: Neither we nor mteb have a task of that name.
    """
    with undisturbed_randomness():
        if name in _OWN:
            return importlib.import_module(_OWN[name]).TASKS[name]()
        import mteb

        try:
            return mteb.get_task(name)
        except KeyError:
            raise ValueError(_unknown(name)) from None


def _unknown(name: str) -> str:
    from mteb.get_tasks import _TASKS_REGISTRY  # listing names the public way makes every task

    names = {known.lower(): known for known in (*_TASKS_REGISTRY, *_OWN)}
    near = [names[match] for match in difflib.get_close_matches(name.lower(), names, n=3)]
    hint = f"did you mean {', '.join(near)}?" if near else f"our own tasks: {', '.join(_OWN)}"
    return f"task: no task {name!r}; {hint}"
