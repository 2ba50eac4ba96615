"""One named training checkpoint of a model."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tl_search.errors.limits import at_least
from tl_search.store.keys import check_name


@dataclass(frozen=True)
class Revision:
    """A checkpoint: its name, when in training it was written, and what its files hold.

    Args:
        name: As its source names it: `step1000`.
        step: Completed optimizer steps.
        tokens: Training tokens seen, where known.
        weights: sha256 of everything that decides the model's output (weights and architecture); two revisions
            with equal `weights` are one.
        tokenizer: sha256 of the tokenizer's files.
    """

    name: str
    step: int
    tokens: int | None = None
    weights: str = ""
    tokenizer: str = ""

    def __post_init__(self) -> None:
        check_name(self.name, "revision", folders=True)  # on the Hub it is the name of a branch
        at_least(0, step=self.step)


# The beginnings of names under which training programs save the model of a step, in the order in which help lists them.
_NAMED = re.compile(
    r"(?:step|global_step|checkpoint|ckpt|iter|iteration)[-_]?(?P<step>\d{1,18})"
    r"(?:[-_]tokens(?P<tokens>\d{1,6}(?:\.\d+)?)(?P<unit>[KMBT]))?",
    re.IGNORECASE,
)
_UNITS = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def step_of(name: str) -> int | None:
    """The step in a name such as `step1000`, `checkpoint-500` or `step200-tokens1B`; None when it has none."""
    match = _NAMED.fullmatch(name)
    return int(match["step"]) if match else None


def tokens_of(name: str) -> int | None:
    """The number of training tokens in a name such as `step200-tokens1B`; None when it has none."""
    match = _NAMED.fullmatch(name)
    return round(float(match["tokens"]) * _UNITS[match["unit"].upper()]) if match and match["tokens"] else None


def untrained(revisions: Iterable[Revision]) -> frozenset[str]:
    """The names of those that have the random weights of step 0, also under a later step (with another tokenizer)."""
    listed = tuple(revisions)
    random = {revision.weights for revision in listed if revision.step == 0} - {""}
    return frozenset(revision.name for revision in listed if revision.step == 0 or revision.weights in random)
