"""The arguments of Lightning's Trainer that limit batches: checked here, and heeded by the run's own loader."""

from collections.abc import Mapping
from typing import Any

# Arguments that later versions added to the config, each with the value that limits nothing. At this value no run is
# named after them or recorded with them.
ADDED: Mapping[str, Any] = {"fast_dev_run": False, "limit_train_batches": 1.0, "limit_val_batches": 1.0}
# Arguments of loops that a training does not have, or that would make it read other text than its data say.
_REFUSED = {
    "limit_test_batches": "since a training has no test; tl search scores tasks, which tasks.names lists",
    "limit_predict_batches": "since a training predicts nothing",
    "overfit_batches": "since the eval loss is always of held-out text; limit_train_batches=N makes epochs of N "
    "batches, and data=files trains on a few documents",
}


def check_limits(given: Mapping[str, Any]) -> None:
    """Raises ValueError for limits that leave nothing, that are no limits, or that a training cannot heed."""
    for name, why in _REFUSED.items():
        value = given.get(name)
        if not (value is None or (type(value) is float and value in (0.0, 1.0))):
            raise ValueError(f"trainer.{name}: must be left out, {why}, got {value!r}")
    for name, least in (("limit_train_batches", 1), ("limit_val_batches", 0)):
        value = 1.0 if given.get(name) is None else given[name]
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= least
        if not (whole or (isinstance(value, float) and (0 < value <= 1 or value == least == 0))):
            share = "(0, 1]" if least else "[0, 1]"
            raise ValueError(
                f"trainer.{name}: must be an integer >= {least} (batches) or a share in {share} such as 0.5, "
                f"got {value!r}"
            )
    value = given.get("fast_dev_run")
    if value is not None and not (isinstance(value, int) and value >= 0):  # True and False are integers
        raise ValueError(f"trainer.fast_dev_run: must be true, false or a number of steps >= 1, got {value!r}")


def deciding(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments without those that were added later and limit nothing, as older runs were recorded."""
    return {
        key: value
        for key, value in given.items()
        if key not in ADDED or not (value is None or is_same(value, ADDED[key]))
    }


def is_same(value: Any, other: Any) -> bool:
    """Whether two values are equal and of one type: 1 is one batch, but 1.0 is all of them."""
    return type(value) is type(other) and bool(value == other)


def limited(batches: int, limit: float | None) -> int:
    """How many of so many batches a limit leaves: an integer is a number of batches, and a float a share of them."""
    if limit is None or isinstance(limit, int):
        return batches if limit is None else min(batches, limit)
    return int(batches * limit + 1e-9)
