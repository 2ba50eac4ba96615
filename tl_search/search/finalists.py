"""The arms that are measured on held-out data: whom the search names, and whom that arm is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tl_search.plane.arm import Arm
from tl_search.plane.readout import RAW
from tl_search.plane.revision import untrained
from tl_search.search.loop import Search


@dataclass(frozen=True)
class Finalists:
    """What is confirmed.

    Args:
        best: The arm that the search names.
        final_last: Last layer of the final checkpoint, which people commonly use.
        final_best: The final checkpoint's best layer by selection.
        trained: By task: the best arm by selection whose layer >= 1 and weights are not those of step 0.
        controls: Arms without trained layers: token embeddings and random weights.
    """

    best: Arm
    final_last: Arm
    final_best: Arm
    trained: Mapping[str, Arm]
    controls: tuple[Arm, ...]

    @property
    def same_readout(self) -> Arm | None:
        """The final checkpoint's last layer under the best arm's readout; None where that is raw."""
        if self.best.readout.is_raw:
            return None
        return replace(self.final_last, readout=self.best.readout, fitted_on=self.best.fitted_on)

    @property
    def as_raw(self) -> Arm | None:
        """The best arm's layer without its readout; None where that is raw."""
        return None if self.best.readout.is_raw else replace(self.best, readout=RAW, fitted_on="")

    @property
    def compared(self) -> tuple[Arm, ...]:
        """The arms whose objectives are compared, each once."""
        arms = (self.best, self.final_last, self.final_best, self.same_readout, self.as_raw)
        return tuple(dict.fromkeys(arm for arm in arms if arm is not None))


def choose(search: Search, with_controls: bool) -> Finalists:
    """The finalists, by selection scores alone."""
    plane, points = search.problem.plane, search.points
    final = plane.column(plane.revisions[-1])
    whole = {arm: value for arm in final if (value := search.objective(arm)) is not None}
    best = search.policy.recommend().arm
    random = untrained(plane.revisions)
    trained = {
        task.name: max(arms, key=lambda arm: points[arm][task.name])
        for task in search.tasks
        if (arms := [a for a in points if a.revision.name not in random and a.layer and task.name in points[a]])
    }
    columns = dict.fromkeys([best.revision, final[0].revision, *(arm.revision for arm in trained.values())])
    shown = dict.fromkeys([RAW, best.readout])  # a readout may lift what is not trained, too
    controls = {plane.arm(revision, 0, readout): None for readout in shown for revision in columns}
    if (first := plane.revisions[0]).step == 0:
        controls |= {plane.arm(first, layer, readout): None for readout in shown for layer in plane.layers}
    winner = max(whole, key=whole.__getitem__)
    return Finalists(best, plane.final_last, winner, trained, tuple(controls) * with_controls)
