"""Which metrics are measured, on which columns and of how many texts. Quick to import: a config names its class."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from tl_search.errors.limits import between
from tl_search.probe.measuring.metric import Metric, OfViews, find_metric

_FEW = 4  # prompts that are measured at least, whatever share of the corpus that is


class Columns(Enum):
    """Which revisions are measured: none, those that the search opens, or all that the sampling picks."""

    none = "none"
    opened = "opened"
    all = "all"


@dataclass(frozen=True)
class MetricsConfig:
    """What is measured without labels, beside the search for the best arm.

    Args:
        columns: The revisions whose layers are measured.
        only: Whether the search only measures: no cell is scored, no arm is named.
        corpus_max_examples_per_task: Texts drawn from each task of the suite at most, >= 1; null takes all.
        prompts: Of how many texts of the corpus the token states are measured at most, >= 1; null sets no limit.
        prompts_share: The same limit as a share of the corpus, in (0, 1]; four texts are measured in any case.
        views: Noisy views of each text that LiDAR compares, >= 2; InfoNCE and DiME take two of them.
        noise: Share of a view's words that get a slip, in (0, 1].
        seed: Of the draws of texts and of the views' noise.
        measures: Metric → its options; options that are not given have the metric's defaults, and a metric that is null
            is left out. A metric is named by its file in `probe/metrics/` or in an allowed package's `metrics/`.

    Raises:
        ValueError: a value breaks its rule; the message begins with its name.
    """

    columns: Columns = Columns.none
    only: bool = False
    corpus_max_examples_per_task: int | None = 64
    prompts: int | None = 64
    prompts_share: float = 0.1
    views: int = 2
    noise: float = 0.1
    seed: int = 0
    measures: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)

    DECIDES: ClassVar = {
        "files": "columns only corpus_max_examples_per_task prompts prompts_share views noise seed measures"
    }

    def __post_init__(self) -> None:
        between(1, 10**9, corpus_max_examples_per_task=self.corpus_max_examples_per_task, prompts=self.prompts)
        between(2, 1000, views=self.views)
        for name in ("prompts_share", "noise"):
            share = getattr(self, name)
            if not 0 < share <= 1:
                raise ValueError(f"{name}: must be in (0, 1], got {share}")
        between(0, 2**32 - 1, seed=self.seed)
        settled = {name: find_metric(name, own).options for name, own in self.measures.items() if own is not None}
        object.__setattr__(self, "measures", settled)
        if self.columns is not Columns.none and not settled:
            raise ValueError("measures: must be at least one metric, got none")
        if self.only and self.columns is not Columns.all:
            raise ValueError(f"only: must be false with columns={self.columns.value}; columns=all measures, then ends")

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics with their options, by name."""
        return {name: find_metric(name, own or {}) for name, own in self.measures.items()}

    @property
    def of_views(self) -> bool:
        """Whether a metric compares views of a text."""
        return any(isinstance(one, OfViews) for one in self.metrics.values())

    def prompts_of(self, texts: int) -> int:
        """Of how many texts of a corpus of so many `texts` the token states are measured."""
        share = max(round(texts * self.prompts_share), _FEW)
        return min(texts, share, texts if self.prompts is None else self.prompts)

    def identity(self) -> dict[str, Any]:
        """All settings that change a measured value; arm and texts are not among them."""
        kept = {"measures": self.measures, "prompts": self.prompts, "prompts_share": self.prompts_share}
        return {**kept, "views": self.views, "noise": self.noise, "seed": self.seed} if self.of_views else kept
