"""What can go wrong in a pass, and what is done or said about it, in one line."""

import logging

import numpy as np
import pytest
import torch
import transformers
from probe.test_probe_embed import CPU, PLAIN, REVISION
from probe.tiny_models import make
from safetensors.torch import load_file, save_file

from tl_search.plane.extraction import BeginToken, Dtype, Extraction, FinalNorm, Pooling
from tl_search.plane.revision import Revision
from tl_search.probe import faults, tokens
from tl_search.probe.config import ProbeConfig, check_device
from tl_search.probe.embed import NonFiniteError, column_key, column_vectors, embed_column
from tl_search.probe.module import Probe
from tl_search.probe.session import ProbeSession
from tl_search.store.arrays import ArrayStore

TEXTS = ("a", "some longer text", "hello", "jello", "x" * 30)
FAMILIES = ("gpt_neox", "bert", "mamba", "mistral")


@pytest.fixture(autouse=True)
def said(caplog):
    caplog.set_level(logging.INFO, "tl_search.probe")
    return caplog


def column(folder, tmp_path, texts=TEXTS, extraction=PLAIN, probe=CPU, layers=None, session=None):
    """The arrays and notes of one column, and its key."""
    store = ArrayStore(tmp_path / "store")
    revision = Revision("step7", 7, None, str(folder), "t")
    key = embed_column(revision, folder, texts, extraction, session or ProbeSession(probe), store, layers)
    return store.get(key), store.notes(key), key


def change(folder, name, new):
    weights = load_file(folder / "model.safetensors")
    weights[name] = new(weights[name])
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def overflowing(tmp_path):
    """Finite in fp32, beyond fp16's 65,504."""
    return change(make(tmp_path / "model"), "embed_in.weight", lambda weight: weight * 1e8)


def test_a_column_that_overflows_is_computed_again_in_fp32(tmp_path, said):
    folder, half = overflowing(tmp_path), Extraction(FinalNorm.last_only, dtype=Dtype.float16)
    arrays, notes, key = column(folder, tmp_path, extraction=half)
    exact, plain_notes, plain_key = column(folder, tmp_path)
    assert all(np.array_equal(arrays[name], exact[name]) for name in exact)
    assert key != plain_key
    assert (notes["dtype"], plain_notes["dtype"]) == ("float32", "float32")
    (line,) = [record.message for record in said.records if "again in float32" in record.message]
    assert line.startswith("step7: layer 0: 5 of 5 vectors hold NaN or infinity (dtype float16)")


def test_a_column_that_overflows_in_fp32_too_fails(tmp_path):
    folder = change(make(tmp_path / "model"), "embed_in.weight", lambda weight: weight * torch.inf)
    with pytest.raises(NonFiniteError, match=r"step7: layer 0: 5 of 5 vectors .* \(dtype float32\)"):
        column(folder, tmp_path, extraction=Extraction(dtype=Dtype.bfloat16))


def test_a_column_that_does_not_overflow_keeps_its_dtype(tmp_path):
    _, notes, _ = column(make(tmp_path / "model"), tmp_path, extraction=Extraction(dtype=Dtype.bfloat16))
    assert notes["dtype"] == "bfloat16"


@pytest.mark.parametrize(("value", "what"), [(0.0, "all zero"), (1.5, "the same")])
def test_layers_that_tell_nothing_are_named(tmp_path, said, value, what):
    folder = change(make(tmp_path / "model"), "embed_in.weight", lambda weight: torch.full_like(weight, value))
    column(folder, tmp_path)
    assert f"step7: layer 0: 5 of 5 vectors are {what}" in said.messages


def test_a_column_that_underflows_is_computed_again_in_fp32(tmp_path, said):
    """Below fp16's smallest number, so that every vector of layer 0 is zero."""
    folder = change(make(tmp_path / "model"), "embed_in.weight", lambda weight: weight * 1e-9)
    arrays, notes, _ = column(folder, tmp_path, extraction=Extraction(FinalNorm.none, dtype=Dtype.float16))
    exact, _, _ = column(folder, tmp_path, extraction=Extraction(FinalNorm.none, dtype=Dtype.float32))
    assert all(np.array_equal(arrays[name], exact[name]) for name in exact)
    assert arrays["layer_000"].any(1).all()
    assert notes["dtype"] == "float32"
    sentence = "layer 0: 5 of 5 vectors are all zero (dtype float16); computing the column again in float32"
    assert f"step7: {sentence}" in said.messages


def test_layers_that_tell_nothing_in_fp32_either_are_kept(tmp_path, said):
    folder = change(make(tmp_path / "model"), "embed_in.weight", lambda weight: torch.full_like(weight, 1.5))
    _, notes, _ = column(folder, tmp_path, extraction=Extraction(FinalNorm.none, dtype=Dtype.bfloat16))
    assert notes["dtype"] == "float32"
    assert sum("again in float32" in line for line in said.messages) == 1
    assert said.messages[1:] == [f"step7: layer {layer}: 5 of 5 vectors are the same" for layer in range(4)]


def test_token_embeddings_may_well_be_the_same(tmp_path, said):
    """The last token of three of four texts; said, but no reason for another pass."""
    last = Extraction(FinalNorm.none, Pooling.last, dtype=Dtype.bfloat16)
    _, notes, _ = column(make(tmp_path / "model"), tmp_path, ["one.", "second.", "a third.", "a fourth"], last)
    assert notes["dtype"] == "bfloat16"
    assert said.messages == ["step7: layer 0: 3 of 4 vectors are the same"]


def test_vectors_of_the_same_tokens_are_no_fault(tmp_path, said):
    cut = Extraction(dtype=Dtype.bfloat16, max_length=2)
    _, notes, _ = column(make(tmp_path / "model"), tmp_path, ["ab 1", "ab 2", "ab 3", "cd"], cut)
    assert notes["dtype"] == "bfloat16"
    assert not [line for line in said.messages if "the same" in line]


def test_vectors_longer_than_what_is_looked_at_at_once_are_normalised_alike():
    vectors = np.random.default_rng(0).standard_normal((9000, 24)).astype(np.float32)
    vectors[5000] = 0
    expected = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.finfo(np.float32).tiny)
    faults.normalise(vectors)
    assert np.array_equal(vectors, expected)


@pytest.mark.parametrize("place", [0, 4500, 8999])
def test_one_bad_vector_is_found_wherever_it_is(place):
    vectors = np.random.default_rng(0).standard_normal((9000, 24)).astype(np.float32)
    vectors[place, 7] = np.nan
    (fault,) = faults.faults([3], [vectors], [])
    assert fault == (3, "1 of 9,000 vectors hold NaN or infinity", True, True)


def test_texts_that_are_cut_are_counted(tmp_path, said):
    folder = make(tmp_path / "model")
    for begin in BeginToken:
        extraction = Extraction(dtype=Dtype.float32, max_length=5, begin=begin)
        _, notes, _ = column(folder, tmp_path, ["1234", "12345", "1234567"], extraction)
        longer = 2 if begin is BeginToken.always else 1  # its BOS takes one of five places
        assert notes["texts_cut"] == str(longer)
        assert f"step7: {longer} of 3 texts are longer than 5 tokens; only their start is embedded" in said.messages
    said.clear()
    assert column(folder, tmp_path)[1]["texts_cut"] == "0"
    assert not said.messages


def test_texts_beyond_the_models_context_are_said(tmp_path, said):
    column(make(tmp_path / "learned", "gpt2", max_position_embeddings=64), tmp_path / "1", ["y" * 100])
    assert said.messages == ["step7: 1 of 1 texts are longer than 64 tokens; only their start is embedded"]
    said.clear()
    column(make(tmp_path / "rotary", max_position_embeddings=64), tmp_path / "2", ["y" * 100])
    assert said.messages == ["step7: the longest text has 100 tokens, but the model's context 64"]


@pytest.mark.parametrize("family", ["gpt_neox", "mistral"])
def test_a_tokenizer_needs_no_padding_token(tmp_path, family):
    folder = make(tmp_path / "model", family)
    expected, _, _ = column(folder, tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    assert transformers.AutoTokenizer.from_pretrained(folder).pad_token is None
    found, _, _ = column(folder, tmp_path / "other")
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layers", [[0], [1], [2, 0], [3], [1, 1]])
def test_wanted_layers_are_those_of_the_full_pass(tmp_path, monkeypatch, family, layers):
    folder = make(tmp_path / family, family)
    part, _, key = column(folder, tmp_path / "part", layers=layers)
    full, _, whole = column(folder, tmp_path)
    assert sorted(part) == [f"layer_{layer:03d}" for layer in sorted(set(layers))]
    assert all(np.array_equal(part[name], full[name]) for name in part)
    assert key != whole


def test_blocks_above_the_highest_wanted_layer_do_not_run(tmp_path):
    folder = change(make(tmp_path / "model"), "layers.2.mlp.dense_4h_to_h.bias", lambda bias: bias + torch.inf)
    column(folder, tmp_path, layers=[0, 2])
    with pytest.raises(NonFiniteError, match="layer 3"):
        column(folder, tmp_path, layers=[3])


@pytest.mark.parametrize("layer", [-1, 4])
def test_a_layer_out_of_range_is_told_the_range(tmp_path, layer):
    with pytest.raises(ValueError, match=rf"layers: must lie in 0\.\.3 at step7, got {layer}"):
        column(make(tmp_path / "model"), tmp_path, layers=[0, layer])


ERRORS = [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("DefaultCPUAllocator: can't allocate memory: …")]


@pytest.mark.slow_but_one
@pytest.mark.parametrize("error", ERRORS, ids=["cuda", "cpu"])
@pytest.mark.parametrize("family", FAMILIES)
def test_out_of_memory_halves_the_batch_and_gives_the_same_vectors(tmp_path, monkeypatch, said, family, error):
    texts = [f"text {number}, " + "x" * (number % 17) for number in range(40)]
    folder, big = make(tmp_path / family, family), ProbeConfig("cpu", tokens_per_batch=400)
    expected, _, _ = column(folder, tmp_path, texts, probe=big)
    seen, original = [], Probe._vectors

    def limited(self, batch, *args, **named):
        seen.append(batch.ids.numel())
        if batch.ids.numel() > 120:
            raise error
        return original(self, batch, *args, **named)

    monkeypatch.setattr(Probe, "_vectors", limited)
    found, _, _ = column(folder, tmp_path / "again", texts, probe=big)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5, rtol=1e-5)
    assert sum(size > 120 for size in seen) <= 2  # remembered: later batches of that size are not tried
    assert any("cpu: out of memory; going on with" in line for line in said.messages)


@pytest.mark.slow
def test_observers_hear_of_each_text_once_though_memory_ran_out(tmp_path, monkeypatch):
    texts, folder, heard, tried = [f"text {number}" for number in range(20)], make(tmp_path / "model"), [], []
    original = torch.nn.LayerNorm.forward

    def limited(self, states):
        if states.numel() > 16 * 100 and len(heard) and not tried:
            tried.append(True)
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(self, states)

    monkeypatch.setattr(torch.nn.LayerNorm, "forward", limited)

    def observer(layer, part):
        heard.extend((layer, int(text)) for text in part.texts)

    column_vectors(REVISION, folder, texts, PLAIN, ProbeSession(CPU), [observer])
    assert tried
    assert sorted(heard) == [(layer, text) for layer in range(4) for text in range(20)]


@pytest.mark.slow
def test_one_text_that_does_not_fit_alone_is_a_failure(tmp_path, monkeypatch):
    original = Probe._vectors

    def limited(self, batch, *args, **named):
        if int(batch.lengths.max()) >= 30:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(self, batch, *args, **named)

    monkeypatch.setattr(Probe, "_vectors", limited)
    with pytest.raises(ValueError, match=r"max_length: one text of 30 tokens does not fit into the memory of cpu"):
        column(make(tmp_path / "model"), tmp_path)


def test_other_errors_of_a_pass_come_through(tmp_path, monkeypatch):
    folder, session = make(tmp_path / "model"), ProbeSession(CPU)
    column(folder, tmp_path, session=session)

    def broken(*args, **named):
        raise RuntimeError("a bug")

    monkeypatch.setattr(Probe, "_vectors", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        column(folder, tmp_path, ["other"], session=session)


def test_texts_are_tokenised_once_for_all_revisions_and_runs(tmp_path, monkeypatch):
    first = make(tmp_path / "1", seed=1)
    column(first, tmp_path)
    monkeypatch.setattr(tokens, "load_tokenizer", lambda folder: pytest.fail("tokenised again"))
    column(make(tmp_path / "2", seed=2), tmp_path)


def test_damaged_tokens_are_made_again(tmp_path):
    first, second = make(tmp_path / "1", seed=1), make(tmp_path / "2", seed=2)
    column(first, tmp_path)
    (file,) = (tmp_path / "store" / "tokens").rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    found, _, _ = column(second, tmp_path)
    expected, _, _ = column(second, tmp_path / "fresh")
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_tokens_are_known_by_all_that_changes_them(tmp_path):
    folder, store, cache = make(tmp_path / "model"), ArrayStore(tmp_path / "tokens"), tokens.TokenCache()
    for extraction in (PLAIN, Extraction(max_length=3), Extraction(prompt="q"), Extraction(begin=BeginToken.always)):
        stored = cache.tokens(REVISION, folder, TEXTS, extraction, None, store)
        plain = cache.tokens(REVISION, folder, TEXTS, extraction, None, None)
        assert stored.cut == plain.cut
        assert [row.tolist() for row in stored.rows] == [row.tolist() for row in plain.rows]
        assert not stored.ids.flags.writeable  # the file's own pages
    assert len(list((tmp_path / "tokens").rglob("*.safetensors"))) == 4


@pytest.mark.parametrize(
    "wrong",
    [{"ids": np.array([-1, 2])}, {"ids": np.array([1, 2, 3])}, {"lengths": np.array([2])},
     {"ids": np.array([[1], [2]])}, {"cut": np.empty(0, np.int64)}, {"ids": np.array([0.5, 1.0])}],
)  # fmt: skip
def test_stored_tokens_that_cannot_be_those_of_the_texts_are_made_again(tmp_path, wrong):
    folder, store, cache = make(tmp_path / "model"), ArrayStore(tmp_path / "tokens"), tokens.TokenCache()
    first = cache.tokens(REVISION, folder, ["a", "b"], PLAIN, None, store)
    kept = {"ids": np.array(first.ids), "lengths": np.array([1, 1]), "cut": np.array([0])}
    (path,) = store.folder.glob("*/*.safetensors")
    store.put(path.stem, {**kept, **wrong})
    again = cache.tokens(REVISION, folder, ["a", "b"], PLAIN, None, store)
    assert [row.tolist() for row in again.rows] == [row.tolist() for row in first.rows]
    assert store.damaged == [path.stem]


@pytest.mark.parametrize(
    ("accelerator", "sentence"),
    [("cuda", "accelerator: no CUDA device here"), ("mps", "accelerator: no MPS device here"),
     ("gpu", "accelerator: no CUDA or MPS device here")],
)  # fmt: skip
def test_a_device_that_is_not_there_is_named(monkeypatch, accelerator, sentence):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=sentence):
        check_device(ProbeConfig(accelerator))
    check_device(CPU)
    check_device(ProbeConfig("auto"))


def test_the_key_of_some_layers_does_not_depend_on_how_they_are_listed():
    keys = [column_key(REVISION, PLAIN, TEXTS, layers) for layers in ([0, 2], [2, 0, 2], [0, 1], None)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
