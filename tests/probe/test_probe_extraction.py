"""Each option of an extraction does what it says, on a real model."""

import numpy as np
import pytest
import torch
from probe.tiny_models import hidden_states, make

from tl_search.plane.extraction import BeginToken, Dtype, Extraction, FinalNorm, Pooling
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import embed_column
from tl_search.probe.pooling import pool
from tl_search.probe.session import ProbeSession
from tl_search.store.arrays import ArrayStore

TEXTS = ("a", "some longer text", "hello", "jello")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make(tmp_path_factory.mktemp("models") / "neox")


@pytest.fixture(scope="module")
def beginning(tmp_path_factory):
    return make(tmp_path_factory.mktemp("models") / "begins", begins=True)


@pytest.fixture(scope="module")
def padding(tmp_path_factory):
    """A model whose batches are padded, not packed."""
    return make(tmp_path_factory.mktemp("models") / "mistral", "mistral")


def embed(folder, tmp_path, texts=TEXTS, **extraction):
    spec = Extraction(**{"dtype": Dtype.float32, "final_norm": FinalNorm.last_only, **extraction})
    store = ArrayStore(tmp_path)
    revision = Revision("step1", 1, None, str(folder), str(folder))
    arrays = store.get(embed_column(revision, folder, texts, spec, ProbeSession(ProbeConfig("cpu")), store))
    return np.stack([arrays[name] for name in sorted(arrays)])


def weighted(states):
    weight = np.arange(1, len(states) + 1)
    return (states * weight[:, None]).sum(0) / weight.sum()


BY_HAND = {
    Pooling.mean: lambda states: states.mean(0),
    Pooling.last: lambda states: states[-1],
    Pooling.cls: lambda states: states[0],
    Pooling.max: lambda states: states.max(0),
    Pooling.weighted_mean: weighted,
}


@pytest.mark.parametrize("model", ["folder", "padding"])
@pytest.mark.parametrize("pooling", Pooling)
def test_pooling_is_over_real_tokens(request, model, pooling, tmp_path):
    folder = request.getfixturevalue(model)
    vectors = embed(folder, tmp_path, pooling=pooling)
    for number, text in enumerate(TEXTS):
        expected = [BY_HAND[pooling](state.numpy()) for state in hidden_states(folder, text)]
        np.testing.assert_allclose(vectors[:, number], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("lengths", [None, [7, 3, 1]])
@pytest.mark.parametrize("pooling", Pooling)
def test_states_of_any_dtype_are_pooled_in_fp32(pooling, lengths):
    states = torch.randn(3, 7, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    lengths = lengths and torch.tensor(lengths)
    found = pool(states, lengths, pooling)
    assert found.dtype == torch.float32
    assert torch.equal(found, pool(states.float(), lengths, pooling))


def test_normalised_vectors_have_length_one_and_the_same_direction(folder, tmp_path):
    plain, unit = embed(folder, tmp_path), embed(folder, tmp_path, normalise=True)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(unit * np.linalg.norm(plain, axis=-1, keepdims=True), plain, atol=1e-5)


def test_max_length_keeps_the_start_of_a_text(folder, tmp_path):
    cut = embed(folder, tmp_path, max_length=5)
    np.testing.assert_allclose(cut, embed(folder, tmp_path, [text[:5] for text in TEXTS]), atol=1e-6)


def test_a_prompt_stands_before_every_text(folder, tmp_path):
    prompted = embed(folder, tmp_path, prompt="query: ")
    np.testing.assert_allclose(prompted, embed(folder, tmp_path, ["query: " + text for text in TEXTS]), atol=1e-6)


def test_begin_puts_a_bos_first_or_keeps_it_away(folder, beginning, tmp_path):
    with_own, without_own = (embed(model, tmp_path) for model in (beginning, folder))
    assert np.abs(with_own - without_own).max() > 0.01
    np.testing.assert_allclose(embed(folder, tmp_path, begin=BeginToken.always), with_own, atol=1e-6)
    np.testing.assert_allclose(embed(beginning, tmp_path, begin=BeginToken.always), with_own, atol=1e-6)
    np.testing.assert_allclose(embed(beginning, tmp_path, begin=BeginToken.never), without_own, atol=1e-6)
    np.testing.assert_allclose(embed(folder, tmp_path, begin=BeginToken.never), without_own, atol=1e-6)


def test_max_length_counts_the_bos(folder, tmp_path):
    cut = embed(folder, tmp_path, begin=BeginToken.always, max_length=4)
    shorter = embed(folder, tmp_path, [text[:3] for text in TEXTS], begin=BeginToken.always)
    np.testing.assert_allclose(cut, shorter, atol=1e-6)


def test_dtype_is_the_precision_of_the_pass_and_vectors_stay_fp32(folder, tmp_path):
    exact, coarse = embed(folder, tmp_path), embed(folder, tmp_path, dtype=Dtype.bfloat16)
    assert coarse.dtype == np.float32
    difference = np.abs(exact - coarse).max() / np.abs(exact).max()
    assert 1e-5 < difference < 0.05


def test_texts_beyond_a_learned_position_table_are_cut_to_it(tmp_path):
    folder = make(tmp_path / "gpt2", "gpt2")
    long = embed(folder, tmp_path, ["y" * 100, "z" * 70])
    np.testing.assert_allclose(long, embed(folder, tmp_path, ["y" * 64, "z" * 64]), atol=1e-6)
