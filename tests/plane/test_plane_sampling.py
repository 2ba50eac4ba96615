"""Which of the written revisions a search looks at."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_search.plane.revision import Revision
from tl_search.plane.sampling import Dense, Log, Sparse, Uniform

STEPS = st.lists(st.integers(0, 200_000), min_size=1, max_size=60, unique=True).map(sorted)
SAMPLINGS = st.one_of(
    st.builds(Sparse, st.integers(2, 70)),
    st.builds(Log, st.integers(2, 70)),
    st.builds(Uniform, st.integers(2, 70)),
    st.builds(Dense, st.integers(0, 50_000)),
)


def revisions(steps):
    return tuple(Revision(f"step{step}", step) for step in steps)


def picked(sampling, steps):
    return [revision.step for revision in sampling.pick(revisions(steps))]


@given(SAMPLINGS, STEPS)
def test_keeps_the_first_and_the_last_and_the_order_and_invents_nothing(sampling, steps):
    chosen = picked(sampling, steps)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(steps)
    assert (chosen[0], chosen[-1]) == (steps[0], steps[-1])


@given(st.sampled_from([Sparse, Log, Uniform]), st.integers(2, 70), STEPS)
def test_never_picks_more_than_it_was_asked_for_and_all_when_there_are_no_more(kind, count, steps):
    chosen = picked(kind(count), steps)
    assert len(chosen) <= count
    if len(steps) <= count:
        assert chosen == steps


@given(st.integers(0, 50_000), STEPS)
def test_dense_keeps_the_interval(interval, steps):
    chosen = picked(Dense(interval), steps)
    inner = [later - earlier for earlier, later in pairwise(chosen[:-1])]
    assert all(gap >= interval for gap in inner)
    if interval == 0:
        assert chosen == steps


def test_log_is_dense_early_and_uniform_is_even():
    steps = range(0, 1025)
    assert picked(Uniform(5), steps) == [0, 256, 512, 768, 1024]
    assert picked(Log(6), steps) == [0, 3, 15, 63, 255, 1024]  # log(1 + step) in five equal parts


@pytest.mark.parametrize("kind", [Sparse, Log, Uniform])
def test_refuses_fewer_than_two(kind):
    with pytest.raises(ValueError, match="count: must be >= 2, got 1"):
        kind(1)


def test_refuses_a_negative_interval():
    with pytest.raises(ValueError, match="interval: must be >= 0, got -5"):
        Dense(-5)
