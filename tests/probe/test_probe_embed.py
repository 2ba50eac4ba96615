"""One column into the store: what is skipped, kept, refused and said."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
import torch
import transformers
from probe.tiny_models import hidden_states, load, make
from safetensors.torch import load_file, save_file

from tl_search.cli import main as cli
from tl_search.cli.explain import explain
from tl_search.plane.extraction import Dtype, Extraction, FinalNorm, Pooling
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig, settled
from tl_search.probe.embed import NonFiniteError, column_key, column_vectors, embed_column
from tl_search.probe.loading import load_model, swap_weights
from tl_search.probe.module import Probe
from tl_search.probe.session import ProbeSession
from tl_search.store.arrays import ArrayStore

PLAIN = Extraction(dtype=Dtype.float32, final_norm=FinalNorm.last_only)
CPU = ProbeConfig("cpu")
REVISION = Revision("step7", 7, None, "w", "t")


def embed(folder, tmp_path, texts=("hello", "a text"), weights="w", extraction=PLAIN, session=None):
    store = ArrayStore(tmp_path / "store")
    revision, session = Revision("step7", 7, None, weights, "t"), session or ProbeSession(CPU)
    key = embed_column(revision, folder, texts, extraction, session, store)
    arrays = store.get(key)
    return np.stack([arrays[name] for name in sorted(arrays)])


def test_a_stored_column_needs_no_model(tmp_path):
    folder = make(tmp_path / "model")
    first = embed(folder, tmp_path)
    shutil.rmtree(folder)
    assert np.array_equal(embed(folder, tmp_path), first)


def test_a_damaged_column_is_computed_again(tmp_path):
    folder = make(tmp_path / "model")
    first = embed(folder, tmp_path)
    file = ArrayStore(tmp_path / "store").path(column_key(REVISION, PLAIN, ("hello", "a text")))
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert np.array_equal(embed(folder, tmp_path), first)


def test_revisions_of_one_run_follow_each_other_without_traces(tmp_path):
    """The second revision's weights are copied into the first one's model, whatever shape comes between."""
    folders = [make(tmp_path / f"{seed}", seed=seed) for seed in (1, 2)]
    folders.append(make(tmp_path / "deeper", seed=3, num_hidden_layers=4))
    session = ProbeSession(CPU)
    for number in (0, 1, 2, 1, 0):
        vectors = embed(folders[number], tmp_path, ["hello"], weights=f"w{number}", session=session)
        expected = [state.mean(0).numpy() for state in hidden_states(folders[number], "hello")]
        np.testing.assert_allclose(vectors[:, 0], expected, atol=1e-5, rtol=1e-5)
        shutil.rmtree(tmp_path / "store")


def test_weights_are_copied_into_the_kept_model_only_where_all_fit(tmp_path):
    model = load_model(make(tmp_path / "1", seed=1), torch.float32)
    other = make(tmp_path / "2", seed=2)
    assert swap_weights(model, other)
    assert _holds(model, other)
    assert not swap_weights(model, make(tmp_path / "wider", hidden_size=32))
    assert _holds(model, other)


def _holds(model, folder):
    state = model.state_dict()
    return all(torch.equal(state[name], value) for name, value in load_file(folder / "model.safetensors").items())


@pytest.mark.parametrize("family", ["gpt_neox", "llama", "olmo2", "gpt2", "bert", "qwen3"])
def test_families_with_full_attention_are_packed(tmp_path, family):
    """Silent padding would be right and slow."""
    assert Probe(load_model(make(tmp_path, family), torch.float32), PLAIN).packs


@pytest.mark.parametrize("family", ["mamba", "roberta", "mistral"])
def test_families_that_packing_would_falsify_are_padded(tmp_path, family):
    assert not Probe(load_model(make(tmp_path, family), torch.float32), PLAIN).packs


def test_a_language_models_head_is_left_aside(tmp_path):
    """Weights saved with a head have other names, and are loaded and swapped alike."""
    folders = [make(tmp_path / f"{seed}", seed=seed) for seed in (1, 2)]
    session = ProbeSession(CPU)
    plain = [embed(folder, tmp_path, weights=f"plain{folder.name}", session=session) for folder in folders]
    for folder in folders:
        model = transformers.GPTNeoXForCausalLM.from_pretrained(folder)
        model.save_pretrained(folder)
        assert "gpt_neox.embed_in.weight" in load_file(folder / "model.safetensors")
    headed = [embed(folder, tmp_path, weights=f"headed{folder.name}", session=session) for folder in folders]
    assert np.array_equal(plain, headed)


def test_ctrl_c_comes_through_and_can_come_again(tmp_path, monkeypatch):
    folder, handler, session = make(tmp_path / "model"), signal.getsignal(signal.SIGINT), ProbeSession(CPU)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Probe, "predict_step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        embed(folder, tmp_path, session=session)
    assert signal.getsignal(signal.SIGINT) is handler
    monkeypatch.undo()
    assert np.isfinite(embed(folder, tmp_path, session=session)).all()


def test_sigterm_in_a_pass_comes_through_as_what_its_handler_raised(tmp_path, monkeypatch):
    """So that the command ends with 143, and not as after Ctrl-C."""
    folder, before = make(tmp_path / "model"), signal.signal(signal.SIGTERM, cli._terminate)
    monkeypatch.setattr(Probe, "predict_step", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            embed(folder, tmp_path)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert explain(caught.value)[0] == 143
    assert not list((tmp_path / "store").glob("??/*"))


def test_the_key_covers_all_that_changes_a_vector(tmp_path):
    revision = Revision("step7", 7, None, "w", "t")
    keys = {
        column_key(revision, PLAIN, ["a", "b"]),
        column_key(revision, PLAIN, ["b", "a"]),
        column_key(revision, Extraction(dtype=Dtype.bfloat16, final_norm=FinalNorm.last_only), ["a", "b"]),
        column_key(Revision("step7", 7, None, "v", "t"), PLAIN, ["a", "b"]),
        column_key(Revision("step7", 7, None, "w", "u"), PLAIN, ["a", "b"]),
    }
    assert len(keys) == 5
    assert column_key(Revision("main", 9, 5, "w", "t"), PLAIN, ["a", "b"]) in keys  # names are no content


@pytest.mark.parametrize("tensor", ["layers.1.mlp.dense_4h_to_h.bias", "embed_in.weight"])
def test_vectors_that_are_no_numbers_are_refused_with_their_layer(tmp_path, tensor):
    folder = make(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights[tensor][..., 3] = torch.inf
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    layer = 0 if tensor == "embed_in.weight" else 2
    with pytest.raises(NonFiniteError, match=rf"step7: layer {layer}: 2 of 2 vectors"):
        embed(folder, tmp_path)
    assert column_key(REVISION, PLAIN, ("hello", "a text")) not in ArrayStore(tmp_path / "store")


@pytest.mark.parametrize("pooling", Pooling)
@pytest.mark.parametrize("dtype", [Dtype.float32, Dtype.bfloat16])
def test_a_text_without_tokens_has_the_zero_vector_and_the_others_are_as_without_it(tmp_path, caplog, pooling, dtype):
    folder, extraction = make(tmp_path / "model"), Extraction(pooling=pooling, dtype=dtype, normalise=True)
    found = embed(folder, tmp_path, ["a", "", "bc", ""], extraction=extraction)
    assert not found[:, [1, 3]].any()
    assert np.array_equal(found[:, [0, 2]], embed(folder, tmp_path, ["a", "bc"], extraction=extraction))
    told = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert told == ["step7: 2 of 4 texts have no tokens, and so the zero vector; begin=always gives them one token"]


def test_texts_that_all_have_no_tokens_have_zero_vectors(tmp_path):
    assert not embed(make(tmp_path / "model"), tmp_path, ["", ""]).any()


def test_a_text_without_tokens_is_named_where_token_states_are_measured(tmp_path):
    folder = make(tmp_path / "model")
    with pytest.raises(ValueError, match=r"texts\[1\]: must have at least one token, got ''"):
        column_vectors(REVISION, folder, ["a", ""], PLAIN, ProbeSession(CPU), [lambda layer, part: None])
    assert not column_vectors(REVISION, folder, ["a", ""], PLAIN, ProbeSession(CPU))[:, 1].any()


def test_the_zero_vector_is_what_sentence_transformers_gives_a_blank_text(tmp_path):
    """Its mean pooling, of a batch in which the blank text is all padding."""
    folder = make(tmp_path / "model")
    _, tokenizer = load(folder)
    mask = torch.tensor(tokenizer(["a", ""], padding=True)["attention_mask"])[..., None].float()
    pooled = (torch.randn(2, 1, 16) * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
    assert pooled[0].any()
    assert not pooled[1].any()


def test_a_bos_makes_an_empty_text_embeddable(tmp_path):
    assert np.isfinite(embed(make(tmp_path / "model", begins=True), tmp_path, ["a", ""])).all()


def test_no_texts_are_refused(tmp_path):
    with pytest.raises(ValueError, match="texts: must be at least one"):
        embed(make(tmp_path / "model"), tmp_path, [])


def test_a_dtype_that_is_not_settled_is_refused(tmp_path):
    with pytest.raises(ValueError, match="dtype: auto must be settled"):
        embed(make(tmp_path / "model"), tmp_path, extraction=Extraction())


def test_a_revision_without_digests_is_refused(tmp_path):
    with pytest.raises(ValueError, match="step7 must have digests"):
        embed(make(tmp_path / "model"), tmp_path, weights="")


def test_a_model_of_unknown_build_is_named(tmp_path):
    with pytest.raises(ValueError, match="T5Model"):
        embed(make(tmp_path / "model", "t5"), tmp_path)


def test_weights_that_are_missing_are_not_made_up(tmp_path):
    folder = make(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    del weights["layers.2.mlp.dense_h_to_4h.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights of its model, layers\.2\.mlp\.dense_h_to_4h\.weight"):
        embed(folder, tmp_path)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"gives token .* but the model has only 50"):
        embed(make(tmp_path / "model", vocab_size=50), tmp_path)


def test_a_folder_that_is_no_model_is_refused_in_one_line(tmp_path):
    folder = make(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"<html>not found</html>")
    with pytest.raises(ValueError, match="is a web page, as a server sends it") as caught:
        embed(folder, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_config_cannot_bring_code_or_choose_attention(tmp_path):
    folder = make(tmp_path / "model")
    expected = embed(folder, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config |= {"auto_map": {"AutoModel": "evil.Evil"}, "_attn_implementation": "flash_attention_2"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('remote code ran')")
    assert np.array_equal(embed(folder, tmp_path, weights="other"), expected)


def test_embedding_says_nothing(tmp_path, capfd):
    folder = make(tmp_path / "model")
    capfd.readouterr()
    embed(folder, tmp_path)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_settled_replaces_auto_and_nothing_else():
    assert settled(Extraction(), "cpu").dtype is Dtype.float32
    assert settled(Extraction(dtype=Dtype.float16, max_length=9), "cpu") == Extraction(
        dtype=Dtype.float16, max_length=9
    )
    assert settled(Extraction(), "auto").dtype is (Dtype.bfloat16 if torch.cuda.is_available() else Dtype.float32)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"accelerator": "cdua"}, "accelerator: must be one of .* got 'cdua'; did you mean cuda?"),
        ({"devices": 0}, "devices: must be >= 1, got 0"),
        ({"tokens_per_batch": 0}, "tokens_per_batch: must be >= 1, got 0"),
    ],
)
def test_bad_settings_are_named(bad, message):
    with pytest.raises(ValueError, match=message):
        ProbeConfig(**bad)
