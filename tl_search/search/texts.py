"""Which texts a column embeds: divided into parts, so that each is embedded once, whichever task is scored first.

Tasks share texts. Each text belongs to the part of the first task in the suite that uses it. A task needs its own part
and the parts of earlier tasks with which it shares texts. Which texts are batched together therefore depends on the
suite alone. Before all tasks come the texts that readouts are fitted on, which some tasks train classifiers on, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tl_search.plane.costs import READOUTS, TaskSize
from tl_search.plane.pull import TaskSpec
from tl_search.store.keys import text_digest


@dataclass(frozen=True)
class SuiteTexts:
    """The texts of a suite on one split.

    Args:
        texts: By task name: the texts that its evaluation embeds, each once.
        fitted: The texts that readouts are fitted on, each once.
    """

    tasks: tuple[TaskSpec, ...]
    texts: Mapping[str, tuple[str, ...]]
    fitted: tuple[str, ...] = ()

    @cached_property
    def _owners(self) -> dict[str, str]:
        owners = dict.fromkeys(self.fitted, READOUTS)
        for task in self.tasks:
            for text in self.texts[task.name]:
                owners.setdefault(text, task.name)
        return owners

    @cached_property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """By task name: the texts that no earlier task has."""
        fitted = {READOUTS: self.fitted} if self.fitted else {}
        return fitted | {
            task.name: tuple(text for text in self.texts[task.name] if self._owners[text] == task.name)
            for task in self.tasks
        }

    @cached_property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """By task name: the parts in which its texts lie, in the order of `parts`."""
        used = {task.name: {self._owners[text] for text in self.texts[task.name]} for task in self.tasks}
        return {name: tuple(part for part in self.parts if part in owners) for name, owners in used.items()}

    def places(self, task: str) -> Mapping[str, int]:
        """Text digest → its row, in the parts that the task needs one after the other. Made once."""
        if task not in self._places:
            texts = [text for owner in self.needs[task] for text in self.parts[owner]]
            self._places[task] = {text_digest(text): row for row, text in enumerate(texts)}
        return self._places[task]

    @cached_property
    def _places(self) -> dict[str, dict[str, int]]:
        return {}

    def sizes(self) -> dict[str, TaskSize]:
        """By task name: what a cost table needs to know of it."""
        return {
            task.name: TaskSize(
                task.type,
                len(self.texts[task.name]),
                sum(len(text) for text in self.parts[task.name]),
                self.needs[task.name],
            )
            for task in self.tasks
        }
