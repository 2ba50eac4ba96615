"""One named training checkpoint of a model."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tl_search.errors.limits import at_least


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
        check_name(self.name)
        at_least(0, step=self.step)


def check_name(name: str) -> str:
    """A revision's name becomes a folder's and a branch's name, so it may not wander.

    Raises:
        ValueError: it is no string of 1 to 96 letters, digits and `._/-`, or could leave its folder.
    """
    valid = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9._][A-Za-z0-9._/-]{0,95}", name)
    if not valid or ".." in name or name.startswith((".", "/")) or name.endswith("/"):
        raise ValueError(f"revision: {name!r} is no valid name (letters, digits and ._/- only, no '..')")
    return name


# The beginnings of names under which training programs save the model of a step, in the order in which help lists them.
_NAMED = re.compile(
    r"(?:step|global_step|checkpoint|ckpt|iter|iteration)[-_]?(?P<step>\d+)"
    r"(?:[-_]tokens(?P<tokens>\d+(?:\.\d+)?)(?P<unit>[KMBT]))?",
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
