"""What layers measured without labels, read from `cache/metrics` of a run: where each metric is lowest and highest."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tl_search.report.findings import reading
from tl_search.report.place import Place
from tl_search.report.sentences import count, printable


class Extremes(NamedTuple):
    """One metric over all measured arms, and at what people take without a search.

    Args:
        name: Of the metric.
        lowest: Its smallest value, and where that is; the first arm of several.
        highest: Likewise its largest.
        final: The value of the last layer of the latest measured checkpoint; None where it has none there.
        arms: How many have a value.
    """

    name: str
    lowest: tuple[float, Place]
    highest: tuple[float, Place]
    final: float | None
    arms: int


@dataclass(frozen=True)
class Measured:
    """What a run has measured.

    Args:
        rows: By metric, in alphabetical order; none where nothing is measured, or not yet.
        unmeasured: Revision → why it could not be, once the run has said so.
    """

    rows: tuple[Extremes, ...] = ()
    unmeasured: Mapping[str, str] = field(default_factory=dict)


def measures_only(folder: Path) -> bool:
    """Whether the search of this folder only measures: it has no tasks. Raises ValueError where a file is damaged."""
    with reading(folder / "plane.json") as value:
        return not value["tasks"]


def describe_plane(folder: Path) -> str:
    """A sentence on the plane of a search that only measures."""
    with reading(folder / "plane.json") as value:
        revisions, layers = count(len(value["revisions"]), "checkpoint"), int(value["n_layers"]) + 1
        model = printable(value["model"])
        return f"{model}: {revisions} × {layers} layers, measured without labels; no task was scored."


def read_measured(folder: Path) -> Measured:
    """Of a search or a training run. Raises ValueError where a file is damaged; the message names it."""
    unmeasured: dict[str, str] = {}
    for path in (folder / "result.json", folder / "DONE.json"):
        if path.is_file():
            with reading(path) as value:
                unmeasured |= {str(name): str(reason) for name, reason in value.get("unmeasured", {}).items()}
    return Measured(_rows(folder / "cache" / "metrics"), unmeasured)


def _rows(place: Path) -> tuple[Extremes, ...]:
    """Files that an earlier corpus left there do not count."""
    if not (place / "corpus.json").is_file():
        return ()
    with reading(place / "corpus.json") as value:
        corpus = value["hash"]
    found: dict[str, list[tuple[int, Place, float | None]]] = defaultdict(list)
    for path in place.glob("*/*/layer_*.json"):
        with reading(path) as value:
            if value["corpus"] != corpus:
                continue
            step, arm = int(value["step"]), Place(str(value["revision"]), int(value["layer"]))
            for name, number in value["metrics"].items():
                found[str(name)].append((step, arm, None if number is None else float(number)))
    return tuple(row for name in sorted(found) if (row := _extremes(name, found[name])))


def _extremes(name: str, found: list[tuple[int, Place, float | None]]) -> Extremes | None:
    found.sort(key=lambda entry: (entry[0], entry[1].layer))
    known = [(number, arm) for _, arm, number in found if number is not None]
    if not known:
        return None
    lowest, highest = (choose(known, key=lambda entry: entry[0]) for choose in (min, max))
    return Extremes(name, lowest, highest, found[-1][2], len(known))
