"""Says in one line why a task's data cannot be had, and what a person can do about it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")


@contextmanager
def fetching(task: Any) -> Iterator[None]:
    """What goes wrong while a task's data are loaded, told with the name of the task.

    Raises:
        ValueError: this process is offline and the data are not in the cache, they may be read only by those who were
            given access, they come with a script, or their repository is gone. Failures of the network go on as they
            are.
    """
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    name, path, revision = (task.metadata.name, *(task.metadata.dataset.get(key) for key in ("path", "revision")))
    try:
        yield
    except (OSError, RuntimeError) as error:  # the errors of the Hub, and of data sets with a script
        told, others = str(error), f"; or leave {name} out of tasks.names"
        if "Dataset scripts are no longer supported" in told:
            raise ValueError(
                f"task: {name} comes from {path}, a data set that is made by a script, which is not run{others}"
            ) from error
        gated = isinstance(error, GatedRepoError) or "gated" in told
        if gated:
            raise ValueError(
                f"task: {name} comes from {path}, which is gated: ask for access at "
                f"https://huggingface.co/datasets/{path}, then log in with `hf auth login`{others}"
            ) from error
        offline = [name for name in _OFFLINE if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")]
        if offline and isinstance(error, ConnectionError | LocalEntryNotFoundError):
            subsets = "" if list(task.hf_subsets) == ["default"] else f", hf_subsets={list(task.hf_subsets)}"
            switches, splits = " ".join(f"{name}=0" for name in offline), f", eval_splits={list(task.eval_splits)}"
            raise ValueError(
                f"task: {name} is not in the cache, and {offline[0]} is set, so nothing is fetched; to fetch it: "
                f"{switches} python -c \"import mteb; mteb.get_task('{name}'{subsets}{splits}).load_data()\""
            ) from error
        if isinstance(error, DatasetNotFoundError | RepositoryNotFoundError):
            at = f" at revision {revision}" if revision else ""
            raise ValueError(f"task: {name} comes from {path}{at}, which is not there any more{others}") from error
        raise
