"""What pulls cost, from a table that is part of the config: decisions never read a clock.

Opening a column costs a load; the first use of a task there costs one pass over the task's texts, which serves
every layer; each cell costs its evaluation.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tl_search.plane.arm import Arm
from tl_search.plane.pull import Cost


@dataclass(frozen=True)
class CostTable:
    """Seconds.

    Args:
        load: Opening a column.
        embed: By task: embedding its texts at every layer of a column.
        score: By task: evaluating it at one arm.
    """

    load: float
    embed: Mapping[str, float]
    score: Mapping[str, float]

    def exhaustive(self, columns: int, layers: int) -> Cost:
        """Every task at every arm of a plane, each column loaded and embedded once."""
        return Cost(
            columns * self.load, columns * sum(self.embed.values()), columns * layers * sum(self.score.values())
        )


@dataclass
class Spending:
    """What has been opened, embedded and scored so far, and what the next pull would cost on top."""

    table: CostTable
    spent: Cost = field(default_factory=Cost)
    _embedded: dict[str, set[str]] = field(default_factory=dict)
    _scored: set[tuple[str, int, str]] = field(default_factory=set)

    def price(self, arm: Arm, tasks: Iterable[str]) -> Cost:
        """The cost of scoring `tasks` at `arm` now; nothing is paid twice."""
        column = arm.revision.name
        opened = self._embedded.get(column)
        fresh = [task for task in tasks if (column, arm.layer, task) not in self._scored]
        if not fresh:
            return Cost()
        return Cost(
            self.table.load if opened is None else 0.0,
            sum(self.table.embed[task] for task in fresh if task not in (opened or ())),
            sum(self.table.score[task] for task in fresh),
        )

    def pay(self, arm: Arm, tasks: Iterable[str]) -> Cost:
        """Book the price and remember what it bought."""
        tasks = tuple(tasks)
        cost = self.price(arm, tasks)
        self._embedded.setdefault(arm.revision.name, set()).update(tasks)
        self._scored.update((arm.revision.name, arm.layer, task) for task in tasks)
        self.spent += cost
        return cost


@dataclass(frozen=True)
class AnalyticCosts:
    """A cost table from sizes alone: the same on every machine, and right in its ratios where it counts.

    A forward pass costs 2 FLOPs a parameter and token; an evaluation costs its type's seconds a text.

    Args:
        flops: Floating-point operations a second that the machine reaches in the forward pass.
        read: Bytes a second at which weights are read.
        open: Seconds to open a column, whatever its size.
        characters_per_token: Of the model's tokenizer; 1 for bytes.
        score: Seconds to evaluate one text, by mteb's task type; `other` for the rest.
    """

    flops: float = 5e10
    read: float = 1e9
    open: float = 0.1
    characters_per_token: float = 4.0
    score: Mapping[str, float] = field(default_factory=lambda: {"other": 5e-4})

    def __post_init__(self) -> None:
        for name in ("flops", "read", "characters_per_token"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: must be > 0, got {getattr(self, name)}")
        if "other" not in self.score:
            raise ValueError("score: needs an entry 'other' for task types that are not named")

    def table(self, parameters: int, tasks: Mapping[str, tuple[str, int, int]]) -> CostTable:
        """The table for a model of so many parameters and tasks given as name → (type, texts, characters)."""
        return CostTable(
            load=self.open + 4 * parameters / self.read,
            embed={
                name: 2 * parameters * characters / self.characters_per_token / self.flops
                for name, (_, _, characters) in tasks.items()
            },
            score={
                name: texts * self.score.get(type_, self.score["other"]) for name, (type_, texts, _) in tasks.items()
            },
        )
