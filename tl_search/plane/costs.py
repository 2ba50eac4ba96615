"""What pulls cost, by a table that is part of the config and not by measured time, so that decisions are reproducible.

Opening a column costs a load; the first use of a task there costs one pass over the task's texts, which serves
every layer; each cell costs its evaluation.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tl_search.errors.limits import MOST_SECONDS, between, not_negative
from tl_search.plane.arm import Arm, Place
from tl_search.plane.pull import Cost
from tl_search.plane.readout import RAW

READOUTS = "readouts"  # stands among tasks for the texts that readouts are fitted on


@dataclass(frozen=True)
class CostTable:
    """Seconds. Tasks share texts, and a text is embedded once per column: it is charged to the first task that has it.

    Args:
        load: Opening a column.
        embed: By task: embedding, at every layer of a column, the texts that no earlier task has.
        score: By task: evaluating it at one arm.
        needs: By task: the tasks whose texts it uses, itself included; absent means itself alone.
            One of `embed`'s is no task: `READOUTS`, the texts that readouts are fitted on, where there are any.
    """

    load: float
    embed: Mapping[str, float]
    score: Mapping[str, float]
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def texts_of(self, tasks: Iterable[str]) -> set[str]:
        """The tasks whose texts must be embedded before `tasks` can be scored."""
        return {owner for task in tasks for owner in self.needs.get(task, (task,))}

    def exhaustive(self, columns: int, arms: int) -> Cost:
        """Every task at every arm of a plane with so many `arms` in a column, each column loaded and embedded once."""
        return Cost(columns * self.load, columns * sum(self.embed.values()), columns * arms * sum(self.score.values()))


@dataclass
class Spending:
    """What has been opened, embedded and scored so far, and what the next pull would cost on top."""

    table: CostTable
    spent: Cost = field(default_factory=Cost)
    _embedded: dict[str, set[str]] = field(default_factory=dict)
    _scored: set[tuple[str, Place, str]] = field(default_factory=set)

    def price(self, arm: Arm, tasks: Iterable[str]) -> Cost:
        """The cost of scoring `tasks` at `arm` now; nothing is paid twice."""
        return self.price_column(arm.revision.name, [(arm.place, task) for task in tasks])

    def price_column(self, column: str, cells: Iterable[tuple[Place, str]]) -> Cost:
        """The cost of scoring cells (place, task) of one column together: they share its load and its passes."""
        fresh = [cell for cell in dict.fromkeys(cells) if (column, *cell) not in self._scored]
        if not fresh:
            return Cost()
        opened = self._embedded.get(column)
        owners = self._owners(fresh) - (opened or set())
        return Cost(
            self.table.load if opened is None else 0.0,
            sum(self.table.embed[owner] for owner in sorted(owners)),  # a set's order would move the last digit
            sum(self.table.score[task] for _, task in fresh),
        )

    def pay(self, arm: Arm, tasks: Iterable[str]) -> Cost:
        """Book the price and remember what it bought."""
        tasks = tuple(tasks)
        cost = self.price(arm, tasks)
        cells = [(arm.place, task) for task in tasks]
        self._embedded.setdefault(arm.revision.name, set()).update(self._owners(cells))
        self._scored.update((arm.revision.name, *cell) for cell in cells)
        self.spent += cost
        return cost

    def _owners(self, cells: Sequence[tuple[Place, str]]) -> set[str]:
        """Whose texts must be embedded for cells of one column."""
        fitted = any(place.readout != RAW.name for place, _ in cells)
        return self.table.texts_of(task for _, task in cells) | ({READOUTS} if fitted else set())


@dataclass(frozen=True)
class AnalyticCosts:
    """A cost table from sizes alone: the same on every machine, and right in its ratios where it counts.

    A forward pass costs 2 FLOPs a parameter and token; an evaluation costs its type's seconds a text.

    Args:
        flops: Floating-point operations a second that the machine reaches in the forward pass.
        read: Bytes a second at which weights are read.
        open: Seconds to open a column, whatever its size.
        characters_per_token: Mean number of characters in a token of the model's tokenizer; 1 for bytes.
        score: Seconds to evaluate one text, by mteb's task type; `other` for the rest.
    """

    flops: float = 5e10
    read: float = 1e9
    open: float = 0.1
    characters_per_token: float = 4.0
    score: Mapping[str, float] = field(default_factory=lambda: {"other": 5e-4})

    DECIDES: ClassVar = {"files": "flops read open characters_per_token score"}

    def __post_init__(self) -> None:
        for name in ("flops", "read", "characters_per_token"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: must be > 0, got {getattr(self, name)}")
            between(0, 1e30, **{name: getattr(self, name)})
        not_negative(MOST_SECONDS, open=self.open, **{f"score.{kind}": seconds for kind, seconds in self.score.items()})
        if "other" not in self.score:
            raise ValueError("score: needs an entry 'other' for task types that are not named")

    def table(self, parameters: int, tasks: Mapping[str, "TaskSize"], fitted: int = 0) -> CostTable:
        """The table for a model of so many parameters, with readouts that are fitted on so many characters."""
        token = 2 * parameters / self.characters_per_token / self.flops
        return CostTable(
            load=self.open + 4 * parameters / self.read,
            embed={name: token * task.fresh_characters for name, task in tasks.items()}
            | ({READOUTS: token * fitted} if fitted else {}),
            score={name: task.texts * self.score.get(task.type, self.score["other"]) for name, task in tasks.items()},
            needs={name: task.needs for name, task in tasks.items()},
        )


@dataclass(frozen=True)
class TaskSize:
    """How much work a task is.

    Args:
        type: mteb's task type.
        texts: Texts that its evaluation asks for.
        fresh_characters: Characters of those that no earlier task of the suite has.
        needs: The tasks whose texts it uses, itself included.
    """

    type: str
    texts: int
    fresh_characters: int
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Workload:
    """A suite of tasks of one size, for estimates before any text is read.

    Args:
        tasks: Number of tasks, >= 1.
        texts: Number of texts of a task, >= 1; no two tasks share any.
        characters: Mean number of characters of a text, >= 1.
        readouts: Number of readouts of every layer, raw vectors included, >= 1.
    """

    tasks: int = 7
    texts: int = 2000
    characters: int = 200
    readouts: int = 1

    DECIDES: ClassVar = {"free": "tasks texts characters readouts"}

    def __post_init__(self) -> None:
        between(1, 10**9, tasks=self.tasks, texts=self.texts, characters=self.characters, readouts=self.readouts)

    def sizes(self) -> dict[str, TaskSize]:
        """By the name of a task, as cost tables take it."""
        names = [f"task {number + 1}" for number in range(self.tasks)]
        return {name: TaskSize("other", self.texts, self.texts * self.characters, (name,)) for name in names}
