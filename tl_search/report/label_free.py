"""The label-free metrics of a run, read from its `cache/metrics`: where each is lowest and highest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tl_search.errors.printable import printable
from tl_search.plane.arm_name import ArmName
from tl_search.report.sentences import count
from tl_search.runs.index import read_index
from tl_search.runs.layout import RunPaths
from tl_search.runs.measured import MeasuredLayer, MeasuredReadout
from tl_search.runs.outcome import Outcome
from tl_search.runs.record import Done
from tl_search.runs.searched_plane import SearchedPlane
from tl_search.store.outside import LARGE
from tl_search.store.typed_json import from_plain, read_record, reading


class Extremes(NamedTuple):
    """One metric: its lowest and its highest value over all measured arms, and its value at the latest last layer.

    Args:
        lowest: Its smallest value and the arm that has it, the earliest of several. Units are those of the metric.
        highest: Its largest value and the arm that has it.
        final: Its value at the last layer of the latest measured checkpoint; None where it has no value there.
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
        readout: The chosen layer without and with its readout; None where that is raw, or was not measured yet.
    """

    rows: tuple[Extremes, ...] = ()
    unmeasured: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0
    readout: MeasuredReadout | None = None

    @property
    def about_readout(self) -> str:
        """A sentence on what the table of the readout shows, or on why there is none; empty where nobody asked."""
        if self.readout is None:
            return ""
        arm, found = printable(self.readout.arm), self.readout
        if found.reason:
            return f"Label-free metrics of {arm}, without and with its readout, were not measured: {found.reason}."
        texts = f"{count(len(found.texts), 'training text')} that no fit used"
        left_out = f" (of {printable(', '.join(found.left_out))} there is none)" if found.left_out else ""
        return f"The same metrics of {arm} and of its layer without the readout (raw), on {texts}{left_out}"

    @property
    def remark(self) -> str:
        """A line about files that do not count; empty where all count."""
        files = f"Left out: {count(self.left_out, 'file')} in cache/metrics"
        return f"{files}, measured with other weights, texts or settings than the newest." if self.left_out else ""


def describe_plane(plane: SearchedPlane) -> str:
    """A sentence on the plane of a search that only measures."""
    counted = f"{count(len(plane.revisions), 'checkpoint')} × {plane.n_layers + 1} layers"
    return f"{printable(plane.model)}: {counted}, label-free metrics only; no task was scored."


def read_measured(folder: Path) -> Measured:
    """Read the metrics of a search or of a training run. Raises ValueError that names the file when one is damaged."""
    outcome, done, place = Outcome.read(folder), Done.read(folder), RunPaths(folder).metrics
    unmeasured = {**((outcome and outcome.unmeasured) or {}), **((done and done.facts.get("unmeasured")) or {})}
    layers = sorted(
        (read_record(MeasuredLayer, path) for path in place.glob("*/*/layer_*.json")),
        key=lambda layer: (layer.step, layer.layer),
    )
    counted = _counted(place, _kept(folder, layers))
    names = sorted({name for layer in counted for name in layer.metrics})
    rows = tuple(row for name in names if (row := _extremes(name, counted)))
    return Measured(rows, unmeasured, len(layers) - len(counted), MeasuredReadout.read(folder))


def _kept(folder: Path, layers: list[MeasuredLayer]) -> list[MeasuredLayer]:
    """Of a training run, the layers whose weights it still has: it may have been set back or made shorter.

    A step between two revisions counts, though its weights were not kept. A step after the last revision does not,
    because it may belong to training that was undone.
    """
    if not RunPaths(folder).is_training:
        return layers
    kept = {line.step: line.weights or None for line in read_index(folder)}
    last = max(kept, default=-1)
    return [layer for layer in layers if layer.step <= last and layer.weights == kept.get(layer.step, layer.weights)]


def _counted(place: Path, layers: list[MeasuredLayer]) -> list[MeasuredLayer]:
    """The layers that can be compared: measured on the texts drawn last, with the settings of the newest of them."""
    if not layers or not (place / "corpus.json").exists():
        return []
    with reading(place / "corpus.json", MeasuredLayer.HEALED_BY, LARGE) as value:
        corpus = from_plain(str, value["hash"], "hash")
    layers = [layer for layer in layers if layer.corpus == corpus]
    # layer 0 is written first, so where a column was interrupted it has the newest settings
    newest = min(layers, key=lambda layer: (-layer.step, layer.layer), default=None)
    return [layer for layer in layers if newest is not None and _settings(layer) == _settings(newest)]


def _settings(layer: MeasuredLayer) -> tuple[Any, ...]:
    return layer.options, layer.extraction, layer.rules


def _extremes(name: str, layers: list[MeasuredLayer]) -> Extremes | None:
    found = [(layer.metrics[name], ArmName(layer.revision, layer.layer)) for layer in layers if name in layer.metrics]
    known = [(number, arm) for number, arm in found if number is not None]
    if not known:
        return None
    lowest, highest = (choose(known, key=lambda entry: entry[0]) for choose in (min, max))
    return Extremes(name, lowest, highest, found[-1][0], len(known))
