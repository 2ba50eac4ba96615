"""`cache/metrics/MODEL/stepN/layer_000.json`: the label-free metrics of one arm, and all that they depend on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tl_search.store.keys import check_name


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

    HEALED_BY: ClassVar[str] = "remove it: a search that goes on measures it again, and a report does without it"

    def __post_init__(self) -> None:
        check_name(self.revision, "revision", folders=True)
