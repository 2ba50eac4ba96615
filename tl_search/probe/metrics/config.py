"""Which metrics are measured, on which columns, of how many texts. Quick to import: config names its class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from typing import Any

from tl_search.errors.nearest import did_you_mean

SPECTRAL = {"alpha": 1.0, "centre": False, "row_norm": False, "normalisation": "raw"}
# Metric → its options and their defaults, which are those of its class.
OPTIONS: dict[str, dict[str, Any]] = {
    "prompt_entropy": SPECTRAL,
    "curvature": {},
    "dataset_entropy": SPECTRAL,
    "effective_rank": {"centre": False, "row_norm": False, "spectrum": "eigen"},
    "rankme": {"eps": 1e-7},
    "anisotropy": {"centre": False},
    "lidar": {"delta": 1e-4, "eps": 1e-8},
    "infonce": {"temperature": 0.1, "centre": False, "row_norm": True},
    "dime": {"alpha": 1.0, "centre": False, "row_norm": True, "permutations": 10, "seed": 0},
}
_CLASSES = {
    "prompt_entropy": "PromptEntropy", "curvature": "Curvature", "dataset_entropy": "DatasetEntropy",
    "effective_rank": "EffectiveRank", "rankme": "RankMe", "anisotropy": "Anisotropy", "lidar": "LiDAR",
    "infonce": "InfoNCE", "dime": "DiME",
}  # fmt: skip
OF_TOKENS = ("prompt_entropy", "curvature")
OF_VIEWS = ("lidar", "infonce", "dime")
_FEW = 4  # prompts that are measured whatever share of the corpus they are

_RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "alpha": ("> 0", lambda value: value > 0),
    "delta": ("> 0", lambda value: value > 0),
    "temperature": ("> 0", lambda value: value > 0),
    "eps": (">= 0", lambda value: value >= 0),
    "permutations": (">= 1", lambda value: value >= 1),
    "seed": (">= 0", lambda value: value >= 0),
    "normalisation": ("raw or max", lambda value: value in ("raw", "max")),
    "spectrum": ("eigen or singular", lambda value: value in ("singular", "eigen")),
}


class Columns(Enum):
    """Of which revisions: none, those that the search opens, or all that the sampling picks."""

    none = "none"
    opened = "opened"
    all = "all"


@dataclass(frozen=True)
class MetricsConfig:
    """What is measured without labels, beside the search for the best arm.

    Args:
        columns: The revisions whose layers are measured.
        only: Whether that is all that the search does: no cell is scored, no arm is named.
        corpus_max_examples_per_task: Texts drawn from each task of the suite, >= 1; null takes all.
        prompts: Texts of the corpus whose token states are measured at most, >= 1; null sets no limit.
        prompts_share: The same as a share of the corpus, in (0, 1]; a few are measured in any case.
        views: Noisy views of each text that LiDAR compares, >= 2; InfoNCE and DiME take two of them.
        noise: Share of a view's words that have a slip, in (0, 1].
        seed: Of the draws of texts and of the views' noise.
        measures: Metric → its options; a metric without any has its defaults, one that is null is left out.
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

    def __post_init__(self) -> None:
        for name in ("corpus_max_examples_per_task", "prompts"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: must be >= 1, got {value}")
        if self.views < 2:
            raise ValueError(f"views: must be >= 2, got {self.views}")
        for name in ("prompts_share", "noise"):
            share = getattr(self, name)
            if not 0 < share <= 1:
                raise ValueError(f"{name}: must be in (0, 1], got {share}")
        if self.seed < 0:
            raise ValueError(f"seed: must be >= 0, got {self.seed}")
        wanted = {name: options for name, options in self.measures.items() if options is not None}
        settled = {name: _settled(name, options) for name, options in wanted.items()}
        object.__setattr__(self, "measures", settled)
        if self.columns is not Columns.none and not settled:
            raise ValueError("measures: must be at least one metric, got none")
        if self.only and self.columns is not Columns.all:
            raise ValueError(f"only: must be false with columns={self.columns.value}; columns=all measures, then ends")

    @property
    def of_views(self) -> bool:
        """Whether texts need views beside themselves."""
        return any(name in OF_VIEWS for name in self.measures)

    def prompts_of(self, texts: int) -> int:
        """How many of so many texts are prompts: the limit or the share, whichever is fewer, but not under `_FEW`."""
        share = max(round(texts * self.prompts_share), _FEW)
        return min(texts, share, texts if self.prompts is None else self.prompts)

    def identity(self) -> dict[str, Any]:
        """What changes a measured value, apart from the arm and the texts."""
        kept = {"measures": self.measures, "prompts": self.prompts, "prompts_share": self.prompts_share}
        return {**kept, "views": self.views, "noise": self.noise, "seed": self.seed} if self.of_views else kept

    def start(self, name: str) -> Any:
        """A metric of this name, with its options. Imports torch."""
        module = import_module(f"tl_search.probe.metrics.{name}")
        return getattr(module, _CLASSES[name])(**(self.measures[name] or {}))


def _settled(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a metric."""
    if name not in OPTIONS:
        raise ValueError(f"measures: must be of {', '.join(OPTIONS)}, got {name!r}{did_you_mean(name, OPTIONS)}")
    known = OPTIONS[name]
    for key, value in options.items():
        where = f"measures.{name}.{key}"
        if key not in known:
            hint = did_you_mean(key, known)
            raise ValueError(f"{where}: unknown key; {name} has {', '.join(known) or 'no options'}{hint}")
        kind = type(known[key])
        if type(value) is not kind and not (kind is float and type(value) is int):
            words = {float: "a number", int: "an integer", bool: "true or false", str: "text"}
            raise ValueError(f"{where}: must be {words[kind]}, got {value!r}")
        rule, holds = _RULES.get(key, ("", lambda _: True))
        if not holds(value):
            raise ValueError(f"{where}: must be {rule}, got {value!r}")
    return {key: type(default)(options.get(key, default)) for key, default in known.items()}
