"""An exported arm gives the vectors that were searched, or is not written."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from probe.tiny_models import make, save_tokenizer

from tl_search.export import arm as arms
from tl_search.export.arm import export, is_export
from tl_search.export.sentence_model import encode
from tl_search.plane.extraction import BeginToken, Dtype, Extraction, FinalNorm, Pooling
from tl_search.plane.readout import Form, Readout
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import column_vectors
from tl_search.probe.readout import fit
from tl_search.probe.session import ProbeSession

PLAIN = Extraction(dtype=Dtype.float32)
TEXTS = ["a", "some longer text than the others", "hello", "jello and more of it"]
REVISION = Revision("step7", 7, None, "weights", "tokenizer")
BLOCKS = 3


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The folder of a family's model, made once."""
    folder = tmp_path_factory.mktemp("models")

    def get(family: str) -> Path:
        return folder / family if (folder / family).exists() else make(folder / family, family)

    return get


def searched(folder: Path, layer: int, extraction: Extraction) -> np.ndarray:
    with ProbeSession(ProbeConfig("cpu")) as session:
        return column_vectors(REVISION, folder, TEXTS, extraction, session)[layer]


def kept(folder: Path) -> tuple[int, object]:
    """How many blocks an export has, and what is read of it."""
    config = json.loads((folder / "config.json").read_text())
    read = json.loads((folder / "sentence_bert_config.json").read_text())["modality_config"]["text"]
    blocks = next(config[name] for name in ("num_hidden_layers", "n_layer") if name in config)
    return blocks, read["method_output_name"]


# With a norm, or of the last block, the smallest model; without, one block more.
PLACES = {
    ("all", 0): (0, "last_hidden_state"),
    ("all", 2): (2, "last_hidden_state"),
    ("last_only", 1): (2, ["hidden_states", 1]),
    ("last_only", BLOCKS): (BLOCKS, "last_hidden_state"),
    ("none", BLOCKS): (BLOCKS, ["hidden_states", BLOCKS]),
}


def places():
    """Every place of one family, and two of the others; the slow suite has all."""
    for family in ("gpt_neox", "llama", "olmo2", "gpt2", "bert", "mamba"):
        for norm, layer in PLACES:
            quick = family == "gpt_neox" or (norm, layer) in (("all", 2), ("last_only", 1))
            marks = () if quick else pytest.mark.slow
            yield pytest.param(family, (norm, layer), id=f"{family}-{norm}-{layer}", marks=marks)


@pytest.mark.parametrize(("family", "place"), places())
@pytest.mark.slow_but_every(2)
def test_it_gives_the_searched_vectors_and_leaves_out_what_it_does_not_need(source, tmp_path, family, place):
    norm, layer = place
    extraction = replace(PLAIN, final_norm=FinalNorm(norm))
    done = export(source(family), REVISION, layer, extraction, "# card", tmp_path / "out")
    np.testing.assert_allclose(encode(done.folder, TEXTS), searched(source(family), layer, extraction), atol=1e-5)
    blocks, output = kept(done.folder)
    assert (done.blocks, done.whole) == (blocks, BLOCKS)
    if family == "bert":  # has no norm after its blocks
        assert (blocks, output) == (layer, "last_hidden_state")
    elif family == "mamba" and isinstance(PLACES[place][1], list):  # whose hidden states begin after the first block
        assert (blocks, output) == (PLACES[place][0], ["hidden_states", layer - 1])
    else:
        assert (blocks, output) == PLACES[place]


@pytest.mark.parametrize(
    "change",
    [
        *({"pooling": pooling} for pooling in Pooling if pooling is not Pooling.mean),
        {"normalise": True, "prompt": "query: "},
        {"max_length": 7},
        {"begin": BeginToken.always},
        {"begin": BeginToken.never},
    ],
    ids=lambda change: "-".join(map(str, change.values())),
)
@pytest.mark.slow_but_every(2)
def test_it_makes_of_a_text_what_the_extraction_says(tmp_path, change):
    begins = change.get("begin") is not BeginToken.always  # so that it has to be taken out, or put in
    folder, extraction = make(tmp_path / "model", begins=begins), replace(PLAIN, **change)
    done = export(folder, REVISION, 2, extraction, "# card", tmp_path / "out")
    np.testing.assert_allclose(encode(done.folder, TEXTS), searched(folder, 2, extraction), atol=1e-5)


def test_it_can_pad_though_the_tokenizer_could_not(tmp_path):
    folder = make(tmp_path / "model")
    said = json.loads((folder / "tokenizer_config.json").read_text())
    del said["pad_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    export(folder, REVISION, 1, PLAIN, "# card", tmp_path / "out")
    np.testing.assert_allclose(encode(tmp_path / "out", TEXTS), searched(folder, 1, PLAIN), atol=1e-5)


def test_another_tokenizer_end_is_kept(tmp_path):
    folder, extraction = make(tmp_path / "model"), replace(PLAIN, begin=BeginToken.always)
    save_tokenizer(folder, ends=True)
    export(folder, REVISION, 1, extraction, "# card", tmp_path / "out")
    np.testing.assert_allclose(encode(tmp_path / "out", TEXTS), searched(folder, 1, extraction), atol=1e-5)


def test_a_text_and_its_vector_lie_beside_the_model(source, tmp_path):
    export(source("gpt_neox"), REVISION, 1, PLAIN, "# card\n", tmp_path / "out")
    known = json.loads((tmp_path / "out/check_vector.json").read_text())
    np.testing.assert_allclose(encode(tmp_path / "out", [known["text"]])[0], known["vector"], atol=1e-5)
    assert (tmp_path / "out/README.md").read_text() == "# card\n"
    assert is_export(tmp_path / "out")
    assert not is_export(source("gpt_neox"))
    assert not list((tmp_path / "out").rglob("*.bin"))


@pytest.mark.parametrize(
    ("family", "norm", "layer", "said"),
    [
        (
            "mamba",
            "none",
            0,
            r"^arm: MambaModel \(mamba\) has no output that is layer 0 before the final norm; search ",
        ),
        ("rwkv", "all", 1, r"^arm: step7/layer 1 cannot be exported \(ZeroDivisionError: "),
        ("gpt_neox", "all", 4, r"^arm: must have a layer of 0\.\.3, got 4$"),
    ],
)
def test_what_cannot_be_exported_is_one_line_and_nothing_is_written(source, tmp_path, family, norm, layer, said):
    with pytest.raises(ValueError, match=said) as caught:
        export(source(family), REVISION, layer, replace(PLAIN, final_norm=FinalNorm(norm)), "", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_gives_other_vectors_is_not_written(source, tmp_path, monkeypatch):
    """As one would that applies the final norm to a layer that is searched without it."""
    right = arms.cut_for
    monkeypatch.setattr(arms, "cut_for", lambda *given: replace(right(*given), blocks=1, index=None))
    with pytest.raises(
        ValueError, match=r"differs from the searched vectors by [\d.e+-]+ of their length, so it is not"
    ):
        export(source("llama"), REVISION, 1, replace(PLAIN, final_norm=FinalNorm.none), "", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


FITTED_ON = [f"{word} number {number}" for number, word in enumerate("abcdefghijklmnopqrst")]


def read_out(folder: Path, layer: int, extraction: Extraction, readout: Readout) -> np.ndarray:
    """What a search makes of `TEXTS`."""
    with ProbeSession(ProbeConfig("cpu")) as session:
        known, wanted = (column_vectors(REVISION, folder, texts, extraction, session) for texts in (FITTED_ON, TEXTS))
    layers = readout.layers(layer)
    return fit(readout, [known[one] for one in layers])([wanted[one] for one in layers])


@pytest.mark.parametrize(
    "readout", [Readout(Form.whitened, rank=6), Readout(Form.standardised)], ids=lambda one: one.name
)
def test_a_readout_of_one_layer_is_a_linear_layer_of_the_export(source, tmp_path, readout):
    export(source("gpt_neox"), REVISION, 2, PLAIN, "# card", tmp_path / "out", readout, FITTED_ON)
    expected = read_out(source("gpt_neox"), 2, PLAIN, readout)
    found = encode(tmp_path / "out", TEXTS)
    assert found.shape[1] == (readout.rank or len(expected[0]))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    assert "Dense" in (tmp_path / "out/modules.json").read_text()


@pytest.mark.parametrize(
    ("family", "norm", "layer", "readout"),
    [
        ("gpt_neox", "all", 2, Readout(Form.joined, rank=4)),
        ("llama", "last_only", BLOCKS, Readout(Form.mean)),
        ("bert", "none", 1, Readout(Form.joined, rank=6, window=2)),
        ("mamba", "all", 2, Readout(Form.mean, window=2)),
        ("gpt2", "none", BLOCKS, Readout(Form.mean)),
        ("olmo2", "all", 0, Readout(Form.joined, rank=4)),
    ],
    ids=lambda one: getattr(one, "name", one),
)
@pytest.mark.slow_but_every(2)
def test_layers_that_a_readout_takes_together_are_a_module_of_this_package(
    source, tmp_path, family, norm, layer, readout
):
    from sentence_transformers import SentenceTransformer

    extraction = replace(PLAIN, final_norm=FinalNorm(norm), normalise=norm == "all", pooling=Pooling.last)
    done = export(source(family), REVISION, layer, extraction, "", tmp_path / "out", readout, FITTED_ON)
    expected = read_out(source(family), layer, extraction, readout)
    np.testing.assert_allclose(encode(done.folder, TEXTS, True), expected, atol=1e-4 * np.abs(expected).max())
    assert done.blocks == max(layer, 1)
    assert not list(done.folder.rglob("*.py"))
    with pytest.raises(ValueError, match="trust_remote_code"):
        SentenceTransformer(str(done.folder), device="cpu", local_files_only=True)
