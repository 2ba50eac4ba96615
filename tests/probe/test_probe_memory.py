"""What a column costs in memory, and how its texts become tokens and batches piece by piece."""

import tracemalloc
import weakref

import numpy as np
import pytest
import torch
from probe.tiny_models import make, save_tokenizer

from tl_search.plane.extraction import BeginToken, Dtype, Extraction, FinalNorm
from tl_search.plane.revision import Revision
from tl_search.probe import tokens
from tl_search.probe.batching import Batches
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import embed_column
from tl_search.probe.loading import load_model, load_tokenizer
from tl_search.probe.module import Probe
from tl_search.probe.session import ProbeSession
from tl_search.store.arrays import ArrayStore


def test_a_column_is_never_in_memory_as_a_whole(tmp_path):
    """Not once, though it is computed, looked at, normalised, checksummed and written."""
    folder, texts = make(tmp_path / "model", hidden_size=128, num_hidden_layers=7), [f"{n}" for n in range(1500)]
    session = ProbeSession(ProbeConfig("cpu"))
    store, normalised = ArrayStore(tmp_path / "store"), Extraction(normalise=True, dtype=Dtype.float32)

    def embed(weights):
        revision = Revision("step7", 7, None, weights, "t")
        return store.path(embed_column(revision, folder, texts, normalised, session, store))

    embed("first")  # makes the tokens, which are kept
    tracemalloc.start()  # knows numpy's memory, and no mapped files
    try:
        size = embed("second").stat().st_size
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 8 * 1500 * 128 * 4
    assert peak < 0.6 * size


@pytest.mark.parametrize("family", ["gpt_neox", "mamba"], ids=["packed", "padded"])
def test_states_of_a_layer_are_gone_before_those_of_the_next_but_one(tmp_path, family):
    """A block's input and output are alive while it runs; more would be a stack of layers."""
    raw = Extraction(FinalNorm.none, dtype=Dtype.float32)
    probe = Probe(load_model(make(tmp_path, family, num_hidden_layers=8), torch.float32), raw)
    seen: dict[int, weakref.ref] = {}  # by layer
    most = 0

    def observe(layer, part):
        nonlocal most
        seen.setdefault(layer, weakref.ref(part.states.untyped_storage()))  # a view's own object dies before it
        most = max(most, sum(states() is not None for states in seen.values()))

    probe.observers = [observe]
    rows = [np.arange(4, 4 + length, dtype=np.int32) for length in (9, 9, 5)]
    (batch,) = Batches(rows, 100, None if probe.packs else 1)
    probe.predict_step(batch)
    assert sorted(seen) == list(range(9))
    assert 1 <= most <= 3


@pytest.mark.parametrize("begin", BeginToken)
@pytest.mark.parametrize("begins", [False, True])
def test_tokens_do_not_depend_on_how_many_texts_are_tokenised_at_once(tmp_path, monkeypatch, begin, begins):
    tokenizer = load_tokenizer(make(tmp_path / "model", begins=begins))
    texts, extraction = [f"text {'x' * number}" for number in range(8)], Extraction(max_length=9, begin=begin)
    whole = tokens.tokenise(tokenizer, texts, extraction)
    monkeypatch.setattr(tokens, "_AT_ONCE", 3)
    parts = tokens.tokenise(tokenizer, texts, extraction)
    assert parts.ids.dtype == np.int32
    assert [row.tolist() for row in parts.rows] == [row.tolist() for row in whole.rows]
    assert parts.cut == whole.cut > 0


@pytest.mark.parametrize(
    ("begin", "first", "last"),
    [(BeginToken.tokenizer, "b", "<s>"), (BeginToken.never, "b", "<s>"), (BeginToken.always, "<s>", "<s>")],
)
def test_a_token_that_ends_texts_is_not_taken_for_one_that_begins_them(tmp_path, begin, first, last):
    folder = make(tmp_path)
    save_tokenizer(folder, ends=True)
    tokenizer = load_tokenizer(folder)
    (row,) = tokens.tokenise(tokenizer, ["bcd"], Extraction(begin=begin)).rows
    found = tokenizer.convert_ids_to_tokens(row.tolist())
    assert (found[0], found[-1]) == (first, last)
    assert "".join(found).replace("<s>", "") == "bcd"


def test_texts_without_tokens_are_known_by_their_own_indices(tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "_AT_ONCE", 3)
    found = tokens.tokenise(load_tokenizer(make(tmp_path)), ["", *["a"] * 6, ""], Extraction())
    assert found.empty == [0, 7]
    assert [len(row) for row in found.rows] == [0, 1, 1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("pad", [None, 0])
def test_a_text_without_tokens_is_in_no_batch(pad):
    rows = [np.arange(length, dtype=np.int32) + 1 for length in (0, 2, 0, 3)]
    assert [int(text) for batch in Batches(rows, 10, pad) for text in batch.texts] == [3, 1]


@pytest.mark.parametrize("budget", [1, 7, 40, 10_000])
def test_batches_hold_every_text_once_longest_first_within_the_budget(budget):
    lengths = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]
    rows = [np.arange(length, dtype=np.int32) + 1 for length in lengths]
    for batches in (Batches(rows, budget, None), Batches(rows, budget, 0)):
        assert len(batches) == len(list(batches))
        seen = [int(text) for batch in batches for text in batch.texts]
        assert seen == sorted(range(len(rows)), key=lambda text: -lengths[text])
        for batch in batches:
            assert batch.ids.numel() <= budget or len(batch.texts) == 1
            assert batch.ids.ravel()[batch.ids.ravel() > 0].tolist() == [
                token for text in batch.texts for token in rows[text].tolist()
            ]
