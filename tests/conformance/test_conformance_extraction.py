"""Every family's vectors are those of the library's own model, one text at a time: the contract of an extraction."""

import copy
import operator

import numpy as np
import pytest
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from probe.tiny_models import FAMILIES, hidden_states, load, make

from tl_search.plane.extraction import Dtype, Extraction, FinalNorm
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import embed_column
from tl_search.probe.session import ProbeSession
from tl_search.store.arrays import ArrayStore

TEXTS = ("a", "some longer text, with words", "hello", "ünïcode", "x" * 40, "seven 7", "7 seven", "hello there")
NAMES = ("gpt_neox", "llama", "olmo2", "gpt2", "bert", "mamba", "qwen3", "roberta", "mistral")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {name: make(root / name, name) for name in NAMES}


def embed(folder, texts, tmp_path, tokens_per_batch=64, **extraction):
    """Vectors (layer, text, width)."""
    spec = Extraction(**{"dtype": Dtype.float32, **extraction})
    store = ArrayStore(tmp_path)
    session = ProbeSession(ProbeConfig("cpu", tokens_per_batch=tokens_per_batch))
    key = embed_column(Revision("step1", 1, None, str(folder), str(folder)), folder, texts, spec, session, store)
    arrays = store.get(key)
    assert sorted(arrays) == [f"layer_{layer:03d}" for layer in range(len(arrays))]
    return np.stack([arrays[name] for name in sorted(arrays)])


def truncated(folder, layer, text):
    """The mean of the output of the model that ends after `layer` blocks."""
    full, tokenizer = load(folder)
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    with torch.no_grad():
        if layer == 0:  # no library model has 0 blocks
            state = hidden_states(folder, text)[0]
            norm = FAMILIES[folder.name][2]
            return (operator.attrgetter(norm)(full)(state) if norm else state).mean(0).numpy()
        config = copy.deepcopy(full.config)
        config.num_hidden_layers = layer
        if "layer_types" in vars(config):
            config.layer_types = config.layer_types[:layer]
        model = transformers.AutoModel.from_pretrained(folder, config=config, attn_implementation="eager").eval()
        return model(input_ids=ids, use_cache=False)[0][0].mean(0).numpy()


@pytest.mark.parametrize("name", NAMES)
def test_final_norm_all_gives_the_vectors_of_truncated_models(folders, tmp_path, name):
    vectors = embed(folders[name], TEXTS[:4], tmp_path, final_norm=FinalNorm.all)
    assert vectors.shape == (4, 4, 16)
    for layer in range(4):
        for number, text in enumerate(TEXTS[:4]):
            expected = truncated(folders[name], layer, text)
            np.testing.assert_allclose(vectors[layer, number], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_final_norm_last_only_gives_the_librarys_hidden_states(folders, tmp_path, name):
    vectors = embed(folders[name], TEXTS, tmp_path, final_norm=FinalNorm.last_only)
    for number, text in enumerate(TEXTS):
        expected = [state.mean(0).numpy() for state in hidden_states(folders[name], text)]
        np.testing.assert_allclose(vectors[:, number], expected, atol=1e-5, rtol=1e-5)


def test_texts_longer_than_the_window_are_not_packed(tmp_path):
    """Packed attention has no window: one text beyond it, and the whole column is padded."""
    folder, texts = make(tmp_path / "mistral", "mistral", sliding_window=8), ["short", "a text of thirty tokens or so"]
    for some in (texts[:1], texts):
        vectors = embed(folder, some, tmp_path, final_norm=FinalNorm.last_only)
        for number, text in enumerate(some):
            expected = [state.mean(0).numpy() for state in hidden_states(folder, text)]
            np.testing.assert_allclose(vectors[:, number], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in NAMES if FAMILIES[name][2]])
def test_the_final_norm_makes_a_difference_exactly_where_it_is_applied(folders, tmp_path, name):
    everywhere, last, nowhere = (
        embed(folders[name], TEXTS[:2], tmp_path, final_norm=norm)
        for norm in (FinalNorm.all, FinalNorm.last_only, FinalNorm.none)
    )
    assert np.array_equal(last[:-1], nowhere[:-1])
    assert np.array_equal(last[-1], everywhere[-1])
    assert all(np.abs(everywhere[layer] - nowhere[layer]).max() > 0.01 for layer in range(4))


@pytest.fixture(scope="module")
def alone(folders, tmp_path_factory):
    """Each text's vectors in a column of its own."""
    folder = tmp_path_factory.mktemp("alone")
    return {name: {text: embed(folders[name], [text], folder)[:, 0] for text in TEXTS} for name in NAMES}


@pytest.mark.slow_but_one
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=12), budget=st.integers(1, 200))
def test_a_vector_depends_on_its_text_alone(folders, alone, tmp_path, name, texts, budget):
    """Not on its neighbours, their order, how they are padded or packed, or how many share a batch."""
    vectors = embed(folders[name], texts, tmp_path / str(budget), tokens_per_batch=budget)
    for number, text in enumerate(texts):
        np.testing.assert_allclose(vectors[:, number], alone[name][text], atol=1e-5, rtol=1e-5)
