"""Any decoder or encoder of the library works by default: its layers are the library's own, whatever shares a batch."""

import numpy as np
import pytest
import torch
from probe.any_model import FAMILIES, LAYERS, POSITIONS, VOCABULARY, build

from tl_search.plane.extraction import Dtype, Extraction, FinalNorm
from tl_search.probe import batching
from tl_search.probe.module import Probe

LENGTHS = (1, 23, 5, 12, 5, 9, 30, 2)
TABLES = {
    "bert": POSITIONS, "biogpt": POSITIONS, "codegen": POSITIONS, "convbert": POSITIONS, "ctrl": POSITIONS,
    "deberta": None, "deberta-v2": POSITIONS, "deberta-v2 with convolution": POSITIONS, "distilbert": POSITIONS,
    "electra": POSITIONS, "esm": None, "fnet": POSITIONS, "gpt-neo": POSITIONS, "gpt-1": POSITIONS, "gptj": POSITIONS,
    "longformer": POSITIONS - 2, "mpnet": POSITIONS - 2, "opt": POSITIONS, "opt-350m": POSITIONS,
    "roberta-prelayernorm": POSITIONS - 2, "xmod": POSITIONS - 2,
}  # fmt: skip
PACKED = {
    "bert", "ctrl", "distilbert", "electra", "esm", "gemma", "gemma3", "llama, dynamic", "mistral", "modernbert",
    "olmo3", "opt", "opt-350m", "phi", "phi3, longrope", "qwen3",
}  # fmt: skip
UNLIKE = {"convbert": 0, "fnet": 0, "llama, dynamic": 16, "phi3, longrope": 16}


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    return [generator.integers(3, VOCABULARY, length, dtype=np.int32) for length in LENGTHS]


def probe_of(name, final_norm=None, **options):
    usual = FinalNorm.all if name == "opt-350m" else FinalNorm.last_only  # its last states have a width of their own
    return Probe(build(name, **options), Extraction(final_norm or usual, dtype=Dtype.float32))


def vectors(probe, rows, budget, packed):
    out = torch.empty(LAYERS + 1, len(rows), 0)
    for batch in batching.Batches(rows, budget, None if packed else 1):
        found = probe.predict_step(batch)
        out = out if out.shape[-1] else out.new_empty(LAYERS + 1, len(rows), found.shape[-1])
        out[:, batch.texts] = found
    return out.numpy()


@pytest.mark.parametrize("name", FAMILIES)
def test_layers_are_the_librarys_own_in_any_batch(rows, name):
    probe, library = probe_of(name), build(name)
    expected = []
    for row in rows:
        ids = torch.from_numpy(row).long()[None]
        with torch.no_grad():
            output = library(ids, output_hidden_states=True)
            states = [*output.hidden_states[:-1], output.last_hidden_state]
            if name == "rwkv":  # which leaves the embeddings out, and adds the last block's states without the norm
                states = [library.embeddings(ids), *states[:2], states[-1]]
            if name == "opt-350m":
                states = [*map(library.decoder.project_out, states[:-1]), states[-1]]
        assert len(states) == LAYERS + 1
        expected.append([state[0, : len(row)].mean(0).numpy() for state in states])
        library = build(name) if "dynamic" in name else library  # which remembers the longest text
    truth = np.array(expected).swapaxes(0, 1)
    for budget in (64, 1000):
        found = vectors(probe, rows, budget, packed=False)
        np.testing.assert_allclose(found, truth, atol=2e-5, rtol=2e-5)
        fits = [row for row in rows if len(row) <= probe.packs]
        if fits:
            found = vectors(probe, fits, budget, packed=True)
            np.testing.assert_allclose(found, truth[:, [len(row) <= probe.packs for row in rows]], atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_what_a_probe_finds_out_about_a_family(name):
    probe = probe_of(name)
    assert probe.proven
    assert probe.position_limit == TABLES.get(name)
    assert probe.apart == UNLIKE.get(name, np.inf)
    assert bool(probe.packs) == (name in PACKED)


@pytest.mark.parametrize("name", [name for name, limit in TABLES.items() if limit])
def test_a_text_as_long_as_the_table_passes_and_a_longer_one_would_not(name):
    probe = probe_of(name)
    longest = np.arange(probe.position_limit + 1, dtype=np.int32) % (VOCABULARY - 3) + 3
    assert np.isfinite(vectors(probe, [longest[:-1]], 1, packed=False)).all()
    with pytest.raises((IndexError, RuntimeError, ValueError)):
        vectors(probe, [longest], 1, packed=False)


@pytest.mark.parametrize("name", ["gemma3", "mistral", "modernbert", "olmo3"])
def test_texts_within_the_sliding_window_are_packed(name):
    assert probe_of(name).packs == 8


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("albert", r"the blocks of AlbertModel \(albert\) were not found: must be one list of its 3 layers, got 0"),
        ("xlm", r"the blocks of XLMModel \(xlm\) were not found: must be one list of its 3 layers, got 4"),
        ("t5", r"must be an encoder or a decoder alone, got T5Model \(t5\), which is both"),
        ("squeezebert", r"SqueezeBertModel \(squeezebert\) does something unknown between its last block"),
    ],
)
def test_a_family_that_cannot_be_probed_is_named(name, sentence):
    sizes = {"t5": {"num_layers": 2, "d_model": 8, "d_ff": 8, "num_heads": 2}, "xlm": {"emb_dim": 16, "n_layers": 3,
             "n_heads": 2}, "albert": {"embedding_size": 16}, "squeezebert": {"embedding_size": 16}}  # fmt: skip
    with pytest.raises(ValueError, match=f"^model: {sentence}"):
        probe_of(name, **sizes[name])


def test_a_norm_that_changes_the_width_cannot_stand_behind_the_last_layer_alone():
    with pytest.raises(ValueError, match=r"final_norm: must be all or none for OPTModel \(opt\).* from 16 to 8, got"):
        probe_of("opt-350m", FinalNorm.last_only)
    assert probe_of("opt-350m", FinalNorm.none).proven
