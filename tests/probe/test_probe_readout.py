"""Readouts: what they make of vectors, that they equal the reference implementation, and what cannot be fitted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.decomposition import PCA

from tl_search.plane.readout import Form, Readout, Shrinkage
from tl_search.probe.readout import Map, fit, ledoit_wolf_share

FORMS = [Readout(form) for form in (Form.standardised, Form.whitened, Form.mean, Form.joined)]
UNSHRUNK = {"shrinkage": Shrinkage.none}


def states(count: int = 120, width: int = 8, layers: int = 1, seed: int = 0) -> list[np.ndarray]:
    """Vectors whose dimensions differ in size and depend on each other, far from the origin."""
    generator = np.random.default_rng(seed)
    mixing = [generator.normal(size=(width, width)) * np.geomspace(1, 30, width) for _ in range(layers)]
    return [(generator.normal(size=(count, width)) @ one + 50).astype(np.float32) for one in mixing]


def fitted(readout: Readout, parts: list[np.ndarray]) -> np.ndarray:
    return fit(readout, parts)(parts).astype(np.float64)


@pytest.mark.parametrize("readout", [Readout(Form.whitened, **UNSHRUNK), Readout(Form.joined, rank=8, **UNSHRUNK)])
def test_whitened_texts_of_the_fit_have_mean_zero_and_unit_covariance(readout):
    made = fitted(readout, states(layers=3 if readout.form.of_window else 1))
    assert np.allclose(made.mean(axis=0), 0, atol=1e-4)
    assert np.allclose(np.cov(made.T), np.eye(8), atol=1e-4)


def test_shrinkage_leaves_no_variance_above_that_of_the_largest_component():
    variances = fitted(Readout(Form.whitened), states(count=30)).var(axis=0)
    assert (variances[:-1] >= variances[1:]).all()
    assert variances.min() < 0.9 < variances.max() < 1.2


def test_standardised_dimensions_have_mean_zero_and_variance_one():
    made = fitted(Readout(Form.standardised), states())
    assert np.allclose([made.mean(axis=0), made.std(axis=0) - 1], 0, atol=1e-4)


def test_the_mean_is_that_of_the_standardised_layers():
    parts = states(layers=3)
    alone = [fitted(Readout(Form.standardised), [part]) for part in parts]
    assert np.allclose(fitted(Readout(Form.mean), parts), np.mean(alone, axis=0), atol=1e-5)


@pytest.mark.parametrize(("count", "width"), [(200, 12), (12, 200)])
@pytest.mark.parametrize("rank", [3, 10])
def test_it_is_scikit_learns_pca_where_nothing_is_shrunk(count, width, rank):
    (vectors,) = states(count, width)
    ours = fitted(Readout(Form.whitened, rank=rank, **UNSHRUNK), [vectors])
    theirs = PCA(rank, whiten=True, svd_solver="full").fit_transform(vectors.astype(np.float64))
    assert np.allclose(np.abs(ours), np.abs(theirs), atol=1e-5)


@given(st.integers(2, 60), st.integers(1, 60), st.integers(0, 10**6))
def test_shrinkage_is_that_of_scikit_learn(count, width, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, width)) * np.geomspace(1, 5, width)
    vectors -= vectors.mean(axis=0)
    theirs = ledoit_wolf_shrinkage(vectors, assume_centered=True)
    for square in (vectors @ vectors.T, vectors.T @ vectors):
        assert ledoit_wolf_share(vectors, square) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("few", [False, True])
def test_whitening_is_the_same_whatever_the_basis_is(few):
    (vectors,) = states(*((20, 40) if few else (200, 10)))
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(vectors.shape[1],) * 2))
    turned = (vectors.astype(np.float64) @ turn).astype(np.float32)
    readout = Readout(Form.whitened, rank=6)
    one, other = fitted(readout, [vectors]), fitted(readout, [turned])
    assert np.allclose(one @ one.T, other @ other.T, atol=2e-3)


@pytest.mark.parametrize("readout", FORMS, ids=lambda one: one.name)
def test_the_same_vectors_give_the_same_map_which_survives_a_store(readout):
    parts = states(layers=2 if readout.form.of_window else 1)
    first, again = fit(readout, parts), fit(readout, [part.copy() for part in parts])
    assert {name: array.tobytes() for name, array in first.arrays().items()} == {
        name: array.tobytes() for name, array in again.arrays().items()
    }
    assert Map.is_one(first.arrays())
    assert np.array_equal(Map.of(first.arrays())(parts), first(parts))
    assert first(parts).dtype == np.float32


@pytest.mark.parametrize("readout", FORMS, ids=lambda one: one.name)
def test_a_dimension_that_is_the_same_for_every_text_tells_nothing(readout):
    (vectors,) = states()
    vectors[:, 2] = 7.0
    other = vectors.copy()
    other[:, 2] = 1000.0
    made = fit(readout, [vectors])
    assert np.isfinite(made([vectors])).all()
    assert np.array_equal(made([vectors]), made([other]))


@pytest.mark.parametrize(
    ("readout", "parts", "told"),
    [
        (Readout(Form.whitened), states(8), "readout: whitened needs at least 9 texts to be fitted on, got 8"),
        (Readout(Form.whitened, rank=9), states(), "readout: rank must be <= 8, the number of dimensions, got 9"),
        (
            Readout(Form.joined, rank=17),
            states(layers=2),
            "readout: rank must be <= 16, the number of dimensions, got 17",
        ),
        (Readout(Form.standardised), [np.ones((9, 4), np.float32)], "readout: all texts that it is fitted on have the"),
        (Readout(Form.mean), [np.full((9, 4), np.nan)], "readout: the vectors that it is fitted on are not all finite"),
    ],
)
def test_what_cannot_be_fitted_is_told(readout, parts, told):
    with pytest.raises(ValueError) as refused:
        fit(readout, parts)
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays: arrays.pop("scale"),
        lambda arrays: arrays.update(centre=arrays["centre"][:-1]),
        lambda arrays: arrays["rotation"].fill(np.nan),
        lambda arrays: arrays.update(rotation=arrays["rotation"][0]),
        lambda arrays: arrays.clear(),
    ],
)
def test_arrays_that_are_no_map_are_not_taken_for_one(spoil):
    arrays = fit(Readout(Form.whitened), states()).arrays()
    spoil(arrays)
    assert not Map.is_one(arrays)
