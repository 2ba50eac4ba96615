"""The plane's order, and what makes two arms one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_search.plane.arm import Arm, Plane
from tl_search.plane.extraction import Dtype, Extraction, FinalNorm, Pooling
from tl_search.plane.revision import Revision, step_of, tokens_of

FIXED = Extraction(dtype=Dtype.float32)


def plane(steps=(0, 10, 100), n_layers=3):
    return Plane("model", tuple(Revision(f"step{n}", n, weights=f"w{n}") for n in steps), n_layers, FIXED)


@given(st.lists(st.integers(0, 999), min_size=1, max_size=9, unique=True).map(sorted), st.integers(1, 9))
def test_positions_count_the_arms_column_after_column(steps, n_layers):
    whole = plane(steps, n_layers)
    assert [whole.position(arm) for arm in whole.arms()] == list(range(len(steps) * (n_layers + 1)))
    assert whole.arms() == tuple(arm for revision in whole.revisions for arm in whole.column(revision))


ARM = Arm("model", Revision("step7", 7, 700, weights="w", tokenizer="t"), 2, FIXED)


@pytest.mark.parametrize(
    "other",
    [
        replace(ARM, layer=3),
        replace(ARM, revision=replace(ARM.revision, weights="x")),
        replace(ARM, revision=replace(ARM.revision, tokenizer="x")),
        replace(ARM, extraction=replace(FIXED, pooling=Pooling.last)),
        replace(ARM, extraction=replace(FIXED, final_norm=FinalNorm.none)),
        replace(ARM, extraction=replace(FIXED, normalise=True)),
        replace(ARM, extraction=replace(FIXED, max_length=128)),
        replace(ARM, extraction=replace(FIXED, prompt="query: ")),
        replace(ARM, extraction=replace(FIXED, dtype=Dtype.bfloat16)),
    ],
)
def test_whatever_changes_a_vector_changes_the_key(other):
    assert other.key != ARM.key


@pytest.mark.parametrize(
    "other",
    [replace(ARM, model="elsewhere"), replace(ARM, revision=replace(ARM.revision, name="main", step=9, tokens=None))],
)
def test_names_and_steps_do_not_change_the_key(other):
    assert other.key == ARM.key


def test_an_unsettled_dtype_gives_no_key():
    with pytest.raises(ValueError, match="dtype: auto must be settled"):
        _ = replace(ARM, extraction=Extraction()).key


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: plane(()), "revisions: the plane needs at least one"),
        (lambda: plane((10, 0)), "revisions: must be by rising step"),
        (lambda: plane((0, 0)), "revisions: must be by rising step"),
        (lambda: plane(n_layers=0), "n_layers: must be >= 1, got 0"),
        (lambda: plane().arm(plane().revisions[0], 4), "layer: must be 0..3, got 4"),
        (lambda: Revision("step1", -1), "step: must be >= 0, got -1"),
    ],
)
def test_refuses_a_plane_that_makes_no_sense(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("name", ["", "../up", "/root", "a/../b", "step 1", "a\nb", "-x", "dir/", "x" * 97, 7])
def test_a_revision_cannot_leave_its_folder(name):
    with pytest.raises(ValueError, match="is no valid name"):
        Revision(name, 0)


@pytest.mark.parametrize(
    ("name", "step", "tokens"),
    [
        ("step1000", 1000, None),
        ("step-7", 7, None),
        ("step_7", 7, None),
        ("checkpoint-500", 500, None),  # of the Trainer of transformers
        ("step200-tokens1B", 200, 10**9),  # OLMo
        ("step90-tokens0.5B", 90, 5 * 10**8),
        ("global_step1000", 1000, None),  # DeepSpeed
        ("iter_0001000", 1000, None),  # Megatron
        ("ckpt-12", 12, None),
        ("main", None, None),
        ("step1b", None, None),
        ("checkpoint-best", None, None),
        ("stage2-step1000-tokens4B", None, None),  # which counts its steps anew
        ("7", None, None),
    ],
)
def test_reads_the_step_and_the_tokens_in_a_name(name, step, tokens):
    assert (step_of(name), tokens_of(name)) == (step, tokens)
