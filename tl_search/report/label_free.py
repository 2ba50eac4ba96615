"""What layers measured without labels, read from `cache/metrics` of a run: where each metric is lowest and highest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tl_search.checkpoints.index import read_index
from tl_search.plane.arm_name import ArmName
from tl_search.report.findings import reading
from tl_search.report.sentences import count, printable
from tl_search.report.training_run import INDEX


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
    lowest: tuple[float, ArmName]
    highest: tuple[float, ArmName]
    final: float | None
    arms: int


@dataclass(frozen=True)
class Measured:
    """What a run has measured.

    Args:
        rows: By metric, in alphabetical order; none where nothing is measured, or not yet.
        unmeasured: Revision → why it could not be, once the run has said so.
        left_out: Files of other weights, texts or settings than those that count.
    """

    rows: tuple[Extremes, ...] = ()
    unmeasured: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0

    @property
    def remark(self) -> str:
        """What a reader is told of files that do not count; nothing where all do."""
        files = f"{count(self.left_out, 'file')} in cache/metrics left out"
        return f"{files}: of other weights, texts or settings than the newest." if self.left_out else ""


class _Layer(NamedTuple):
    """What a file says: of which arm, on which texts, with which settings, and the values."""

    step: int
    place: ArmName
    weights: str
    corpus: str
    settings: tuple[Any, ...]
    metrics: Mapping[str, float | None]


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
    place = folder / "cache" / "metrics"
    layers = _layers(place)
    counted = _counted(place, _kept(folder, layers))
    names = sorted({name for layer in counted for name in layer.metrics})
    rows = tuple(row for name in names if (row := _extremes(name, counted)))
    return Measured(rows, unmeasured, len(layers) - len(counted))


def _layers(place: Path) -> list[_Layer]:
    """All files, by step and layer."""
    found = []
    for path in place.glob("*/*/layer_*.json"):
        with reading(path) as value:
            arm = ArmName(str(value["revision"]), int(value["layer"]))
            metrics = {str(name): None if it is None else float(it) for name, it in value["metrics"].items()}
            settings = tuple(value[key] for key in ("options", "extraction", "rules"))
            of = int(value["step"]), arm, str(value["weights"]), str(value["corpus"]), settings
            found.append(_Layer(*of, metrics))
    return sorted(found, key=lambda layer: (layer.step, layer.place.layer))


def _kept(folder: Path, layers: list[_Layer]) -> list[_Layer]:
    """Those of weights that a training run still has: it may have been set back or made shorter.

    Of a step between two revisions nobody kept the weights; after the last, what was measured may be of a run that
    went another way.
    """
    if not (folder / INDEX).is_file():
        return layers
    kept = {int(line["step"]): line.get("weights") for line in read_index(folder)}
    last = max(kept, default=-1)
    return [layer for layer in layers if layer.step <= last and layer.weights == kept.get(layer.step, layer.weights)]


def _counted(place: Path, layers: list[_Layer]) -> list[_Layer]:
    """Those of the texts that were drawn last, measured as the newest of them are: other values do not compare."""
    if not layers or not (place / "corpus.json").is_file():
        return []
    with reading(place / "corpus.json") as value:
        corpus = str(value["hash"])
    layers = [layer for layer in layers if layer.corpus == corpus]
    # of a column that was cut short, layer 0 is the newest
    newest = min(layers, key=lambda layer: (-layer.step, layer.place.layer), default=None)
    return [layer for layer in layers if newest is not None and layer.settings == newest.settings]


def _extremes(name: str, layers: list[_Layer]) -> Extremes | None:
    found = [(layer.metrics[name], layer.place) for layer in layers if name in layer.metrics]
    known = [(number, arm) for number, arm in found if number is not None]
    if not known:
        return None
    lowest, highest = (choose(known, key=lambda entry: entry[0]) for choose in (min, max))
    return Extremes(name, lowest, highest, found[-1][0], len(known))
