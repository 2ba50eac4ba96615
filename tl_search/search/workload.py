"""How much work a suite of tasks is, before a search: counted where its texts are on this machine, else assumed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tl_search.plane.costs import TaskSize, Workload
from tl_search.plane.share import ALL, number_of
from tl_search.scoring.suites import Suite
from tl_search.search.texts import SuiteTexts


@dataclass(frozen=True)
class Work:
    """What a cost table needs to know of a suite.

    Args:
        sizes: By task.
        texts: Texts that are embedded, each once.
        assumed: The tasks whose texts are not known, so that their numbers are those of `work.*`.
        chosen: Whether tasks were chosen.
        readouts: How many arms a layer is, of each revision.
        items: The share of the tasks' items that is scored, which all numbers are of.
    """

    sizes: Mapping[str, TaskSize]
    texts: int
    assumed: tuple[str, ...]
    chosen: bool
    readouts: int = 1
    items: str = ALL


def work_of(suite: Suite | None, otherwise: Workload, folder: Path) -> Work:
    """The work of a suite's selection split, or of the share of its items that a search scores.

    Args:
        suite: None: tasks of one size, as `otherwise` says.
        otherwise: What is assumed of tasks whose texts are not on this machine.
        folder: Where searches store the texts of tasks.

    Raises:
        ValueError: there is no such task, split or subset.
    """
    if suite is None:
        sizes = otherwise.sizes()
        return Work(sizes, otherwise.tasks * otherwise.texts, tuple(sizes), False, otherwise.readouts)
    known, others = suite.texts_here(folder)
    counted = SuiteTexts(tuple(task for task, _ in known), {task.name: texts for task, texts in known})
    each = number_of(str(suite.items), otherwise.texts)
    assumed = {name: TaskSize(kind, each, each * otherwise.characters, (name,)) for name, kind in others.items()}
    texts = sum(len(part) for part in counted.parts.values()) + len(assumed) * each
    sizes = {**counted.sizes(), **assumed}
    named = {name: sizes[name] for name in suite.tasks}
    return Work(named, texts, tuple(assumed), True, otherwise.readouts, str(suite.items))
