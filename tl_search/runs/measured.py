"""Label-free metrics on disk, each file with all that its values depend on.

`cache/metrics/MODEL/stepN/layer_000.json` has those of a layer's raw vectors, and `cache/metrics/readout.json` those of
the chosen layer without and with its readout.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from tl_search.plane.arm_name import ArmName
from tl_search.runs.layout import RunPaths
from tl_search.runs.outcome import Outcome
from tl_search.store.keys import check_name
from tl_search.store.outside import LARGE
from tl_search.store.typed_json import read_record

HEALED_BY = "remove it: a search that goes on measures it again, and a report does without it"


@dataclass(frozen=True, kw_only=True)
class MeasuredLayer:
    """One file. It is valid only for the same weights, texts and settings.

    Args:
        model: Its name.
        revision: The name of the measured revision.
        step: Of the revision.
        layer: The measured layer.
        weights: sha256, as in `Revision`.
        tokenizer: sha256, as in `Revision`.
        extraction: How texts become vectors (`Extraction.identity`).
        corpus: A digest of the texts.
        options: What is measured (`MetricsConfig.identity`).
        rules: The version of the code that measures.
        dtype: Of the forward pass.
        metrics: By name; None where a metric has no value.
    """

    model: str = ""
    revision: str
    step: int
    layer: int
    weights: str
    tokenizer: str = ""
    extraction: Mapping[str, Any]
    corpus: str
    options: Any
    rules: int
    dtype: str = ""
    metrics: Mapping[str, float | None]

    HEALED_BY: ClassVar[str] = HEALED_BY

    def __post_init__(self) -> None:
        check_name(self.revision, "revision", folders=True)


@dataclass(frozen=True, kw_only=True)
class MeasuredReadout:
    """The chosen arm's layer without and with its readout, on the same texts, none of which a fit has used.

    Args:
        model: Its name.
        arm: The arm that the search chose; its readout is not raw.
        vectors: Everything that changes the arm's vectors, with a digest of the texts of the fit (`Arm.identity`).
        texts: What was measured on, in this order.
        tasks: Task → how many of its texts were drawn.
        left_out: Tasks of which no text is left.
        options: What is measured (`MetricsConfig.identity`).
        rules: The versions of the code that fits and that measures.
        raw: The metrics of the layer's own vectors, by name; None where a metric has no value.
        under: The metrics of the vectors under the readout.
        reason: Why nothing was measured, in one line; empty where it was.
    """

    model: str
    arm: ArmName
    vectors: Mapping[str, Any]
    texts: tuple[str, ...]
    tasks: Mapping[str, int]
    left_out: tuple[str, ...]
    options: Any
    rules: Mapping[str, int]
    raw: Mapping[str, float | None]
    under: Mapping[str, float | None]
    reason: str = ""

    OPTIONAL: ClassVar = ("reason",)
    HEALED_BY: ClassVar[str] = HEALED_BY
    LIMIT: ClassVar[int] = LARGE

    @classmethod
    def read(cls, run: Path) -> Self | None:
        """Of a search's answer; None where there is none, or it is about an arm that is no longer the chosen one."""
        path, outcome = RunPaths(run).readout_metrics, Outcome.read(run)
        found = read_record(cls, path) if outcome is not None and path.exists() else None
        return found if found is not None and outcome is not None and found.arm == outcome.best.arm else None
