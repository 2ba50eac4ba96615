"""The parent of a run that was branched: whose state it began with, and what it does otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from tl_search.plane.mixed import Mixed


@dataclass(frozen=True)
class Parent:
    """An entry of `run.json`: all that a branch needs of its parent, so that it goes on when the parent is gone.

    Args:
        run: The parent's run directory, as an absolute path, when the branch was made.
        digest: Digest of the parent's settings, as at the end of its directory's name.
        step: Completed steps of the state that the branch began with.
        sha256: Of that state's file.
        changed: Setting of the plan → its value in the parent and in the branch.
        stage: What held in the parent at that step: name, weights and data of its stage.
        order: Where the order of the text begins: seed, epoch and step of `training.data.Origin`.
        phases: Phases of the learning rate at the branch: start, offset and length of each (`training.optim.Phase`).
        mixed: What was read of each source of the text up to the branch, where the branch goes on in the same order.
    """

    run: str
    digest: str
    step: int
    sha256: str
    changed: Mapping[str, Any] = field(default_factory=dict)
    stage: Mapping[str, Any] = field(default_factory=dict)
    order: Mapping[str, int] = field(default_factory=dict)
    phases: tuple[tuple[int, ...], ...] = ()
    mixed: tuple[Mixed, ...] = ()

    OPTIONAL: ClassVar[tuple[str, ...]] = ("mixed",)

    def __post_init__(self) -> None:
        if self.step < 0:
            raise ValueError(f"parent.step is {self.step}")
        if not {"name", "weights", "data"} <= self.stage.keys() or not {"seed", "epoch", "step"} <= self.order.keys():
            raise ValueError("parent has no whole stage or order")
        if not self.phases or any(len(phase) != 3 for phase in self.phases):
            raise ValueError("parent.phases are not of three numbers each")

    @property
    def folder(self) -> Path:
        return Path(self.run)
