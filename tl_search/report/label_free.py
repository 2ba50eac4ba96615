"""The label-free metrics of a run, read from its `cache/metrics`: where each is lowest and highest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tl_search.plane.arm_name import ArmName
from tl_search.report.findings import reading
from tl_search.report.sentences import count, printable
from tl_search.report.training_run import INDEX
from tl_search.runs.index import read_index


class Extremes(NamedTuple):
    """One metric: its lowest and its highest value over all measured arms, and its value at the latest last layer.

    Args:
        name: The name of the metric.
        lowest: Its smallest value and the arm that has it, the earliest of several. Units are those of the metric.
        highest: Its largest value and the arm that has it.
        final: Its value at the last layer of the latest measured checkpoint; None where it has no value there.
        arms: How many arms have a value.
    """

    name: str
    lowest: tuple[float, ArmName]
    highest: tuple[float, ArmName]
    final: float | None
    arms: int


@dataclass(frozen=True)
class Measured:
    """The label-free metrics that a run has measured so far.

    Args:
        rows: One per metric, in alphabetical order; empty where nothing has been measured.
        unmeasured: Revision that could not be measured → the reason, once the run has written it.
        left_out: How many files do not count: they were measured with other weights, texts or settings.
    """

    rows: tuple[Extremes, ...] = ()
    unmeasured: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0

    @property
    def remark(self) -> str:
        """A line about files that do not count; empty where all count."""
        files = f"Left out: {count(self.left_out, 'file')} in cache/metrics"
        return f"{files}, measured with other weights, texts or settings than the newest." if self.left_out else ""


class _Layer(NamedTuple):
    """The content of one file: which arm was measured, on which texts, with which settings, and the values."""

    step: int
    place: ArmName
    weights: str
    corpus: str
    settings: tuple[Any, ...]
    metrics: Mapping[str, float | None]


def measures_only(folder: Path) -> bool:
    """Whether the search in this folder has no tasks and computes label-free metrics only. Raises as `reading` does."""
    with reading(folder / "plane.json") as value:
        return not value["tasks"]


def describe_plane(folder: Path) -> str:
    """A search without tasks in one sentence. Raises as `reading` does."""
    with reading(folder / "plane.json") as value:
        revisions, layers = count(len(value["revisions"]), "checkpoint"), int(value["n_layers"]) + 1
        model = printable(value["model"])
        return f"{model}: {revisions} × {layers} layers, label-free metrics only; no task was scored."


def read_measured(folder: Path) -> Measured:
    """Read the metrics of a search or of a training run. Raises ValueError that names the file when one is damaged."""
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
    """All files, sorted by step and layer."""
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
    """Of a training run, the layers whose weights it still has: it may have been set back or made shorter.

    A step between two revisions counts, though its weights were not kept. A step after the last revision does not,
    because it may belong to training that was undone.
    """
    if not (folder / INDEX).is_file():
        return layers
    kept = {int(line["step"]): line.get("weights") for line in read_index(folder)}
    last = max(kept, default=-1)
    return [layer for layer in layers if layer.step <= last and layer.weights == kept.get(layer.step, layer.weights)]


def _counted(place: Path, layers: list[_Layer]) -> list[_Layer]:
    """The layers that can be compared: measured on the texts drawn last, with the settings of the newest of them."""
    if not layers or not (place / "corpus.json").is_file():
        return []
    with reading(place / "corpus.json") as value:
        corpus = str(value["hash"])
    layers = [layer for layer in layers if layer.corpus == corpus]
    # layer 0 is written first, so where a column was interrupted it has the newest settings
    newest = min(layers, key=lambda layer: (-layer.step, layer.place.layer), default=None)
    return [layer for layer in layers if newest is not None and layer.settings == newest.settings]


def _extremes(name: str, layers: list[_Layer]) -> Extremes | None:
    found = [(layer.metrics[name], layer.place) for layer in layers if name in layer.metrics]
    known = [(number, arm) for number, arm in found if number is not None]
    if not known:
        return None
    lowest, highest = (choose(known, key=lambda entry: entry[0]) for choose in (min, max))
    return Extremes(name, lowest, highest, found[-1][0], len(known))
