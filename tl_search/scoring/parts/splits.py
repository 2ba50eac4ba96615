"""On which split of a task arms are selected, and on which the finalists are reported: by task, with a default.

A suite names a split, or says what it is for. `selection` and `confirmation` mean, for each task:

- its splits of these names, where it has them, as the embedded tasks do;
- else its validation split and its official one, which is mostly called `test`;
- else two halves of its official split, `test-half-1` and `test-half-2`, as `halves` divides it.

`official` means the official split, whole, as others report it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

SELECTION, CONFIRMATION, OFFICIAL = ROLES = ("selection", "confirmation", "official")
_VALIDATION = ("validation", "dev", "val", "valid")
_HALF = "-half-"


def halves(split: str) -> tuple[str, str]:
    """The names of a split's halves, to select on and to report on."""
    return f"{split}{_HALF}1", f"{split}{_HALF}2"


def parted(split: str) -> tuple[str, int | None]:
    """The split in the data, and which half of it is meant: 0, 1, or None for the whole."""
    whole, found, number = split.rpartition(_HALF)
    return (whole, int(number) - 1) if found and number in ("1", "2") else (split, None)


def share_data(first: str, second: str) -> bool:
    """Whether two splits of one task have items in common."""
    (one, its), (other, others) = parted(first), parted(second)
    return one == other and (None in (its, others) or its == others)


def official_split(name: str, known: Sequence[str]) -> str:
    """The split that others report, of those on which a task is evaluated.

    Raises:
        ValueError: the task has several, and none is called `test`.
    """
    if "test" in known or len(known) == 1:
        return "test" if "test" in known else known[0]
    raise ValueError(
        f"split: {name} has {len(known)} ({', '.join(known)}) and none is called test; "
        f"tasks.selection_splits.{name} and tasks.confirmation_splits.{name} name two of them"
    )


def pair(task: Any, in_data: Callable[[str], Iterable[str]]) -> tuple[str, str]:
    """The splits that `selection` and `confirmation` mean for a task of mteb.

    Args:
        in_data: The splits that the data have where they are loaded for a split, which others may come with.

    Raises:
        ValueError: the task has no official split, or is scored by cross-validation, so that no half can be held out.
    """
    name, known = task.metadata.name, list(task.metadata.eval_splits)
    if SELECTION in known and CONFIRMATION in known:
        return SELECTION, CONFIRMATION
    official = official_split(name, known)
    if getattr(task, "is_cross_validation", False):
        raise ValueError(
            f"task: {name} is scored by cross-validation on its split {official}, so it has no items to hold out; "
            "tasks.selection_split=official scores it on all of them"
        )
    taken = {official, getattr(task, "train_split", official)}
    found = (split for splits in (known, in_data(official)) for split in _VALIDATION if split in splits)
    validation = next((split for split in found if split not in taken), None)
    return (validation, official) if validation else halves(official)
