"""Solvers use one thread, and what multiplies large matrices uses all of them."""

import pytest
from threadpoolctl import ThreadpoolController

from tl_search.scoring.quicker.one_thread import one_thread_where_solved


def threads():
    """Of the libraries that solvers use; torch brings its own."""
    return {one["num_threads"] for one in ThreadpoolController().info() if "torch" not in one["filepath"]}


@pytest.fixture
def two_threads():
    with one_thread_where_solved("Clustering"):  # loads the libraries
        pass
    with ThreadpoolController().limit(limits=2):
        yield


def test_a_solver_gets_one_thread_and_gives_the_others_back(two_threads):
    with one_thread_where_solved("Classification"):
        assert threads() == {1}
        with one_thread_where_solved("Clustering"):
            pass
        assert threads() == {1}
    assert threads() == {2}


def test_retrieval_keeps_all_threads(two_threads):
    with one_thread_where_solved("Retrieval"):
        assert threads() == {2}
