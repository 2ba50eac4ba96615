"""Set before anything heavy is imported: no network, one thread per process, no noise. And tasks for every room."""

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(scope="module")
def tiny() -> Iterator[dict[str, type]]:
    """Registers the small tasks beside the real ones."""
    from scoring import tiny_tasks

    from tl_search.scoring import catalogue, evaluation

    real, names = evaluation.get_task, catalogue.mteb_names
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "get_task", lambda name: tiny_tasks.TASKS.get(name, lambda: real(name))())
        patch.setattr(catalogue, "mteb_names", lambda: {**names(), **dict.fromkeys(tiny_tasks.TASKS, False)})
        yield tiny_tasks.TASKS
