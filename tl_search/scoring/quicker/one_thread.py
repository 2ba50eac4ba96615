"""Keeps small solvers on one thread.

Logistic regressions and clusterings of mteb's size are made of thousands of short calls into BLAS and OpenMP, which
wait for each other at the end of each call. On two free cores a second thread brings nothing; where something else runs
on the machine, waiting takes most of the time: a clustering of 367 texts took 0.7 s with one thread and 15 to 25 s
with two. The scores are the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

SOLVED = ("Classification", "Clustering")  # types of tasks; the others multiply large matrices, for which threads help


@contextmanager
def one_thread_where_solved(task_type: str) -> Iterator[None]:
    """Within the block, BLAS and OpenMP use one thread if tasks of this type are scored by a solver."""
    if task_type not in SOLVED:
        yield
        return
    with _libraries().limit(limits=1):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """The libraries that are loaded now; looking for them takes as long as scoring a small cell."""
    import sklearn.cluster  # noqa: F401  # loads scikit-learn's own, and scipy's

    return ThreadpoolController()
