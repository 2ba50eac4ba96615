"""Which of the written revisions a search looks at."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_search.plane.revision import Revision
from tl_search.plane.sampling import All, Dense, Listed, Log, Sparse, Uniform, notes

STEPS = st.lists(st.integers(0, 200_000), min_size=1, max_size=60, unique=True).map(sorted)
COUNTED = st.one_of(st.builds(kind, st.integers(2, 70)) for kind in (Sparse, Log, Uniform))
RULES = st.sampled_from([Sparse(), Log(), Uniform(), Dense()])
LITERAL = st.one_of(
    st.builds(Uniform, interval=st.integers(1, 50_000), first=st.booleans()),
    st.builds(Dense, interval=st.integers(0, 50_000), first=st.booleans()),
    st.just(All()),
)
PYTHIA = [0, *(2**power for power in range(10)), *range(1000, 143_001, 1000)]
EVERY_1000 = [*range(1000, 143_001, 1000)]


def revisions(steps):
    return tuple(Revision(f"step{step}", step) for step in steps)


def picked(sampling, steps):
    return [revision.step for revision in sampling.pick(revisions(steps))]


@pytest.mark.parametrize(
    ("sampling", "steps"),
    [
        (Sparse(), [1000, 2000, 5000, 10000, 20000, 40000, 80000, 143000]),
        (Uniform(), [*range(5000, 140_001, 5000), 143_000]),
        (Uniform(interval=5000), [*range(5000, 140_001, 5000), 143_000]),
        (Log(), [*range(1000, 10_001, 1000), *range(15_000, 50_001, 5000), *range(60_000, 140_001, 10_000), 143_000]),
        (Dense(), EVERY_1000),
        (Dense(1000), EVERY_1000),
        (Dense(1000, first=True), [0, *EVERY_1000]),
        (Dense(0), PYTHIA),
        (All(), PYTHIA),
        (Sparse(first=True), [0, 1000, 2000, 5000, 10000, 20000, 40000, 80000, 143000]),
        (Log(7), [0, 8, 64, 512, 3000, 20000, 143000]),
        (Listed(("step-1000", "main", 5000, "step5000", "step7")), [1000, 5000, 143_000]),
    ],
    ids=str,
)
def test_on_pythia_the_lists_are_these(sampling, steps):
    assert picked(sampling, PYTHIA) == steps


def test_on_pythia_the_counts_are_those_of_the_documents():
    assert [len(picked(sampling, PYTHIA)) for sampling in (Sparse(), Uniform(), Log(), Dense(), All())] == [
        *(8, 29, 28, 143, 154)
    ]


def test_on_a_run_of_another_length_the_steps_are_scaled():
    assert picked(Sparse(), range(1431)) == [10, 20, 50, 100, 200, 400, 800, 1430]  # the hundredth part of Pythia's
    assert picked(Sparse(), range(0, 2_860_001, 20_000)) == [*(20_000 * n for n in (1, 2, 5, 10, 20, 40, 80, 143))]
    assert picked(Uniform(), range(0, 1431, 10)) == [*range(50, 1401, 50), 1430]


def test_where_a_rules_step_is_missing_the_nearest_is_taken_and_told():
    steps = [step for step in PYTHIA if step not in (5000, 40_000)]
    assert picked(Sparse(), steps) == [1000, 2000, 4000, 10_000, 20_000, 39_000, 80_000, 143_000]
    assert notes(Sparse(), revisions(steps)) == (
        "there is no revision at step 5000, 40000; the nearest ones are taken",
    )
    assert (
        notes(Sparse(), revisions(PYTHIA)) == notes(Sparse(8), revisions(steps)) == notes(All(), revisions([5])) == ()
    )


@given(st.one_of(COUNTED, RULES, LITERAL), STEPS)
def test_keeps_the_last_and_the_order_and_invents_nothing(sampling, steps):
    chosen = picked(sampling, steps)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(steps)
    assert chosen[-1] == steps[-1]


@given(RULES, STEPS)
def test_a_rule_picks_six_where_there_are_so_many(sampling, steps):
    assert len(picked(sampling, steps)) >= min(6, len(steps))


@given(COUNTED, STEPS)
def test_a_count_is_never_exceeded_has_both_ends_and_is_all_when_there_are_no_more(sampling, steps):
    chosen = picked(sampling, steps)
    assert len(chosen) <= sampling.count
    assert chosen[0] == steps[0]
    if len(steps) <= sampling.count:
        assert chosen == steps


@given(st.integers(1, 50_000), STEPS)
def test_dense_with_the_first_one_keeps_the_interval(interval, steps):
    chosen = picked(Dense(interval, first=True), steps)
    assert chosen[0] == steps[0]
    assert all(later - earlier >= interval for earlier, later in pairwise(chosen[:-1]))


def test_a_count_is_dense_early_or_even():
    steps = range(0, 1025)
    assert picked(Uniform(5), steps) == [0, 256, 512, 768, 1024]
    assert picked(Log(6), steps) == [0, 3, 15, 63, 255, 1024]  # log(1 + step) in five equal parts


def test_a_listed_revision_that_there_is_not_is_named_and_the_others_are_picked():
    sampling = Listed(("step1000", 7, "step3", "main"))
    assert picked(sampling, [0, 1000, 2000]) == [1000, 2000]
    assert sampling.lacking(revisions([0, 1000, 2000])) == ("7", "step3")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (("stepp1000",), "revisions: 'stepp1000' is no name of a revision; did you mean step1000?"),
        (("step7",), "revisions: must list revisions that there are, got step7"),
    ],
)
def test_a_list_without_any_revision_or_with_no_name_of_one_is_refused(entries, message):
    with pytest.raises(ValueError) as refused:
        Listed(entries).pick(revisions([0, 1000]))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sparse(1), "count: must be >= 2, got 1"),
        (lambda: Log(1), "count: must be >= 2, got 1"),
        (lambda: Uniform(1), "count: must be >= 2, got 1"),
        (lambda: Uniform(interval=0), "interval: must be >= 1, got 0"),
        (lambda: Uniform(3, interval=7), "count: must be null where interval is given, got 3"),
        (lambda: Dense(-5), "interval: must be >= 0, got -5"),
        (lambda: Listed(()), "revisions: must be at least one name or step, got none"),
        (lambda: Listed((-3,)), r"revisions\[0\]: must be >= 0, got -3"),
    ],
)
def test_settings_that_pick_nothing_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
