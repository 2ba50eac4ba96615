"""How many arms the picked revisions of models make, and what a search of them costs, as numbers and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tl_search.checkpoints.offered import HALF, Offer
from tl_search.plane.costs import AnalyticCosts
from tl_search.plane.revision import Revision
from tl_search.search.budget import Budget
from tl_search.search.workload import Work

METRIC_BYTES = 2_000  # of the file with one arm's label-free metrics, roughly
VECTOR = 4  # bytes of a number of an embedding
AT_ONCE = 2  # revisions that a search needs at one time: the one that it works on and the next


@dataclass(frozen=True)
class Counts:
    """Of one model, or of several together. Seconds are those of the cost table.

    Args:
        blocks: Arms without the embedding layer: revisions × blocks × readouts.
        arms: Arms with it: revisions × (blocks + 1) × readouts.
        download: Bytes of all revisions' weights.
        scratch: Bytes of the weights that must be there at one time.
        embeddings: Bytes of all vectors.
        metrics: Bytes of the files of label-free metrics.
        exhaustive: Seconds to score every task at every arm.
        one: Seconds to do so for one revision.
        budget: Seconds that a search with the chosen budget spends at most, before the confirmation.
    """

    revisions: int = 0
    blocks: int = 0
    arms: int = 0
    download: int = 0
    scratch: int = 0
    embeddings: int = 0
    metrics: int = 0
    exhaustive: float = 0.0
    one: float = 0.0
    budget: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        """Of both, one after the other, so that the scratch space is that of the larger one."""
        ours, theirs = vars(self), vars(other)
        return Counts(**{**{k: ours[k] + theirs[k] for k in ours}, "scratch": max(self.scratch, other.scratch)})


def counted(
    offer: Offer, picked: Sequence[Revision], costs: AnalyticCosts, work: Work, budget: Budget
) -> Counts | None:
    """The counts of a model's picked revisions; None if the model's sizes are not known."""
    sizes, number = offer.sizes, len(picked)
    if sizes is None:
        return None
    table, layers = costs.table(sizes.parameters, work.sizes), sizes.blocks + 1
    scored = layers * work.readouts
    weights = sizes.bytes or HALF * sizes.parameters
    return Counts(
        revisions=number,
        blocks=number * sizes.blocks * work.readouts,
        arms=number * scored,
        download=number * weights,
        scratch=min(number, AT_ONCE) * weights,
        embeddings=number * layers * sizes.width * VECTOR * work.texts,
        metrics=number * layers * METRIC_BYTES,
        exhaustive=table.exhaustive(number, scored).total,
        one=table.exhaustive(1, scored).total,
        budget=budget.most(table, number, scored) if number else 0.0,
    )


def table_lines(rows: Sequence[tuple[Offer, int, Counts | None]], local: bool) -> list[str]:
    """A table with a line for each model, and one for all of them; revisions on this machine need no download."""
    known = [counts for _, _, counts in rows if counts is not None]
    lines = [_HEADS if not local else [head for head in _HEADS if head != "download"]]
    lines += [_cells(offer.name, number, counts, local) for offer, number, counts in rows]
    if len(rows) > 1:
        lines.append(_cells("all", sum(number for _, number, _ in rows), sum(known, Counts()), local))
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return [
        "  ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


_HEADS = ["model", "revisions", "arms in blocks", "with layer 0", "download", "at one time", "vectors", "metrics",
          "exhaustive", "one revision", "budget"]  # fmt: skip


def _cells(name: str, number: int, counts: Counts | None, local: bool) -> list[str]:
    from tl_search.report.sentences import duration, short

    if counts is None:
        return [name, f"{number:,}", *["?"] * (len(_HEADS) - 2 - local)]
    sizes = [counts.download, counts.scratch, counts.embeddings, counts.metrics][local:]
    seconds = [counts.exhaustive, counts.one, counts.budget]
    cells = [name, f"{number:,}", f"{counts.blocks:,}", f"{counts.arms:,}"]
    return [*cells, *(f"{short(size)}B" for size in sizes), *map(duration, seconds)]


def as_plain(counts: Counts | None) -> dict[str, Any] | None:
    """The counts for a JSON file; sizes are in bytes, times in seconds."""
    return None if counts is None else {key: round(value, 3) for key, value in vars(counts).items()}
