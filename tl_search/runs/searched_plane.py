"""`plane.json`: the plane that a search works on: its revisions, layers, tasks and costs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from tl_search.plane.arm_name import ArmName
from tl_search.plane.pull import Cost, TaskSpec
from tl_search.plane.readout import RAW
from tl_search.plane.revision import Revision, untrained
from tl_search.plane.share import ALL
from tl_search.runs.layout import HEALED_BY, RunPaths
from tl_search.runs.record import check_version, versions
from tl_search.store.keys import texts_digest
from tl_search.store.outside import LARGE
from tl_search.store.typed_json import read_record, write_record


@dataclass(frozen=True)
class Seconds:
    """A cost in seconds of the cost table, with its sum."""

    load: float
    embed: float
    score: float
    total: float = 0.0

    @classmethod
    def of(cls, cost: Cost) -> Self:
        return cls(*(round(part, 4) for part in (cost.load, cost.embed, cost.score, cost.total)))


@dataclass(frozen=True)
class Prices:
    """Seconds of the cost table: for opening a column, and by task for embedding its texts and scoring one arm."""

    load: float
    embed: Mapping[str, float]
    score: Mapping[str, float]


@dataclass(frozen=True)
class FittedOn:
    """The texts that readouts were fitted on: their digest, how many, and how many of them are scored, too."""

    digest: str
    texts: int
    among_scored: int = 0

    def read(self, run: Path) -> tuple[str, ...]:
        """The texts themselves, of `readout_texts.json`.

        Raises:
            ValueError: the file is missing or damaged, or holds other texts.
        """
        path = RunPaths(run).readout_texts
        texts = read_record(ReadoutTexts, path).texts
        if texts_digest(texts) != self.digest:
            raise ValueError(f"{path}: has other texts than the readouts were fitted on; {HEALED_BY}")
        return texts


@dataclass(frozen=True)
class ReadoutTexts:
    """`readout_texts.json`: the texts on which readouts are fitted, in their order."""

    texts: tuple[str, ...]

    HEALED_BY: ClassVar[str] = HEALED_BY
    LIMIT: ClassVar[int] = LARGE

    def write(self, run: Path) -> None:
        write_record(RunPaths(run).readout_texts, self)


@dataclass(frozen=True)
class SearchedPlane:
    """The arms, the tasks, and the cost table of a search. One that only measures has no tasks, and nothing below them.

    Args:
        model: Name of the model.
        revisions: By rising step.
        n_layers: Blocks L of the model; layers are 0..L.
        parameters: Number of parameters that the forward pass uses.
        extraction: How a text becomes a vector (`Extraction.identity`).
        tasks: The suite on its selection split, or on a share of its items.
        confirmation_split: On which finalists are measured.
        confirmation_splits: By task, where it is not the same for all.
        same_split: Whether finalists are measured on data that arms were selected on.
        weights: By task: its part in the objective.
        costs: Prices.
        exhaustive: What scoring every cell would cost.
        seed: Random seed of the policy.
        versions: Package → version that it ran with.
        left_out: What the checkpoint source said of each revision that it left out, when the search was last started.
        readouts: Name → what is done with the vectors (`Readout.identity`), raw first.
        fitted_on: The texts of the readouts; None where there is only raw.
    """

    model: str
    revisions: tuple[Revision, ...]
    n_layers: int
    parameters: int | None = None
    extraction: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[TaskSpec, ...] = ()
    confirmation_split: str | None = None
    confirmation_splits: Mapping[str, str] = field(default_factory=dict)
    same_split: bool = False
    weights: Mapping[str, float] = field(default_factory=dict)
    costs: Prices = field(default_factory=lambda: Prices(0.0, {}, {}))
    exhaustive: Seconds = Seconds(0.0, 0.0, 0.0)
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=versions)
    left_out: tuple[str, ...] = ()
    readouts: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {RAW.name: RAW.identity()})
    fitted_on: FittedOn | None = None

    OPTIONAL = (
        *("confirmation_split", "confirmation_splits", "costs", "exhaustive", "seed", "left_out"),
        *("readouts", "fitted_on"),
    )
    HEALED_BY: ClassVar[str] = HEALED_BY

    def __post_init__(self) -> None:
        if not self.revisions:
            raise ValueError("has no revisions")
        if next(iter(self.readouts), None) != RAW.name:
            raise ValueError("readouts must begin with raw")
        for task in self.tasks:
            if task.name not in self.weights:
                raise KeyError(task.name)

    @classmethod
    def read(cls, run: Path) -> Self:
        """Raises ValueError naming the file when it is missing or damaged."""
        return read_record(cls, RunPaths(run).plane)

    def begin(self, run: Path) -> None:
        """Write it, once, before the search.

        Raises:
            ValueError: the search of this folder began with something else, or with a newer version; its decisions
                are not to be mixed.
        """
        path = RunPaths(run).plane
        if path.exists():
            before = type(self).read(run)
            check_version(run, before.versions)
            names = [one.name for one in fields(self) if one.name not in ("versions", "left_out")]
            changed = [name for name in names if getattr(before, name) != getattr(self, name)]
            if changed:
                what = changed_revisions(before.revisions, self.revisions)
                raise ValueError(
                    f"{path}: its {', '.join(changed)} changed since this search was started"
                    f"{f' ({what})' if what else ''}; "
                    "start another run (name=...), which reuses all scores in the ledger"
                )
        write_record(path, self)

    @property
    def items(self) -> str:
        """The share of the selection split's items that arms are scored on, such as `1/3`; `1` where it is all."""
        return ", ".join(dict.fromkeys(task.items for task in self.tasks)) or ALL

    @property
    def shape(self) -> tuple[int, int]:
        """(revisions, arms of a column): all layers of raw, then all of the next readout."""
        return len(self.revisions), len(self.readouts) * (self.n_layers + 1)

    @property
    def final_last(self) -> ArmName:
        """The arm that people use without a search: the last layer of the final checkpoint."""
        return ArmName(self.revisions[-1].name, self.n_layers)

    def at(self, arm: ArmName) -> tuple[int, int]:
        """Row and column in arrays of `shape`. Raises ValueError when the plane has no such arm."""
        numbers = {revision.name: number for number, revision in enumerate(self.revisions)}
        if arm.revision not in numbers or not 0 <= arm.layer <= self.n_layers or arm.readout not in self.readouts:
            raise ValueError(f"names {arm}, which is not on the plane")
        return numbers[arm.revision], list(self.readouts).index(arm.readout) * (self.n_layers + 1) + arm.layer

    def __contains__(self, arm: ArmName) -> bool:
        try:
            self.at(arm)
        except ValueError:
            return False
        return True

    def is_control(self, arm: ArmName) -> bool:
        """Whether the arm uses nothing learnt about context: layer 0, or any layer of random weights."""
        return arm.layer == 0 or self.is_random(arm)

    def is_random(self, arm: ArmName) -> bool:
        """Whether the arm has the random weights of step 0."""
        return self.revisions[self.at(arm)[0]].name in untrained(self.revisions)


def changed_revisions(before: Iterable[Revision], now: Iterable[Revision]) -> str:
    """`new: step45; gone: step3; other files: step7`; empty where nothing has changed."""
    old, new = ({revision.name: revision for revision in revisions} for revisions in (before, now))
    parts = {
        "new": [name for name in new if name not in old],
        "gone": [name for name in old if name not in new],
        "other files": [name for name in new if name in old and _content(old[name]) != _content(new[name])],
    }
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts.items() if names)


def _content(revision: Revision) -> tuple[int, str, str]:
    return revision.step, revision.weights, revision.tokenizer
