"""What a probe takes for granted of a model is proven, and a proof that proves nothing is not kept."""

import dataclasses

import numpy as np
import pytest
import torch
from probe.tiny_models import hidden_states, load, make
from safetensors.torch import load_file, save_file

from tl_search.plane.extraction import Dtype, Extraction, FinalNorm
from tl_search.plane.revision import Revision
from tl_search.probe import packing
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import NonFiniteError, column_vectors
from tl_search.probe.loading import load_model
from tl_search.probe.memory import is_full
from tl_search.probe.module import Probe
from tl_search.probe.session import ProbeSession

PLAIN = Extraction(FinalNorm.last_only, dtype=Dtype.float32)
TEXTS = ("a", "some longer text", "hello", "jello")


def column(folder, extraction=PLAIN, session=None):
    revision = Revision(folder.name, 7, None, str(folder), "t")
    return column_vectors(revision, folder, TEXTS, extraction, session or ProbeSession(ProbeConfig("cpu")))


def changed(folder, change):
    weights = {name: change(name, weight) for name, weight in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def diverged(folder, family):
    return changed(make(folder, family), lambda name, weight: weight * torch.nan)


@pytest.mark.parametrize("family", ["gpt2", "roberta"])
def test_healthy_revisions_after_a_diverged_one_get_their_own_vectors(tmp_path, family):
    sick, well = diverged(tmp_path / "sick", family), make(tmp_path / "well", family)
    session = ProbeSession(ProbeConfig("cpu"))
    with pytest.raises(NonFiniteError, match="sick: layer 0"):
        column(sick, session=session)
    for number, text in enumerate(TEXTS):
        expected = [state.mean(0).numpy() for state in hidden_states(well, text)]
        np.testing.assert_allclose(column(well, session=session)[:, number], expected, atol=1e-5, rtol=1e-5)


def test_a_diverged_model_keeps_its_final_norm_and_packs_nothing(tmp_path):
    probe = Probe(load_model(diverged(tmp_path / "sick", "gpt2"), torch.float32), PLAIN)
    assert (probe.proven, probe.packs, probe.apart, probe.anatomy.norm) == (False, 0, 0, probe.model.ln_f)


@pytest.mark.parametrize("dtype", [Dtype.float32, Dtype.bfloat16])
def test_weights_in_which_tokens_know_nothing_of_each_other_prove_nothing(tmp_path, dtype):
    """As where training starts from blocks that add nothing: a wrong mask or position would not show."""
    folder = changed(make(tmp_path / "start"), lambda name, weight: weight * 0 if "attention.dense" in name else weight)
    probe = Probe(load_model(folder, getattr(torch, dtype.value)), dataclasses.replace(PLAIN, dtype=dtype))
    assert (probe.proven, probe.packs) == (False, 0)


def test_the_proof_sees_what_bfloat16s_rounding_would_hide(tmp_path, monkeypatch):
    """A packed attention that is wrong by one part in a thousand."""
    right = packing.attention

    def slightly_wrong(*args, **options):
        out, none = right(*args, **options)
        return out * 1.001, none

    model = load_model(make(tmp_path / "model"), torch.bfloat16)
    extraction = dataclasses.replace(PLAIN, dtype=Dtype.bfloat16)
    assert Probe(model, extraction).packs
    monkeypatch.setattr(packing, "attention", slightly_wrong)
    assert not Probe(model, extraction).packs


def test_a_proof_leaves_the_weights_as_they_were(tmp_path):
    folder = make(tmp_path / "model")
    plain, proven = (load_model(folder, torch.bfloat16) for _ in range(2))
    Probe(proven, dataclasses.replace(PLAIN, dtype=Dtype.bfloat16))
    for (name, ours), theirs in zip(proven.state_dict().items(), plain.state_dict().values(), strict=True):
        assert ours.dtype == theirs.dtype, name
        assert torch.equal(ours, theirs), name


def test_a_proof_holds_one_block_at_a_time_in_float32(tmp_path, monkeypatch):
    """Where weights of bfloat16 just fit into memory, the model in float32 would not."""
    model = load_model(make(tmp_path / "model"), torch.bfloat16)
    wide, original = set(), type(model.layers[0]).forward

    def counting(self, *args, **named):
        kinds = [{weight.dtype for weight in block.parameters()} for block in model.layers]
        wide.add((kinds.count({torch.float32}), kinds.count({torch.bfloat16})))
        return original(self, *args, **named)

    monkeypatch.setattr(type(model.layers[0]), "forward", counting)
    assert Probe(model, dataclasses.replace(PLAIN, dtype=Dtype.bfloat16)).proven
    assert wide == {(1, 2)}


def test_a_model_that_fails_on_a_text_is_named_in_one_line(tmp_path, monkeypatch):
    model = load_model(make(tmp_path / "model"), torch.float32)

    def broken(*args, **named):
        raise KeyError("hidden_states")

    monkeypatch.setattr(type(model.layers[1]), "forward", broken)
    with pytest.raises(ValueError, match=r"^model: GPTNeoXModel \(gpt_neox\) cannot be probed: .*KeyError") as caught:
        Probe(model, PLAIN)
    assert "\n" not in str(caught.value)


def test_blocks_whose_output_is_changed_before_it_is_put_out_are_refused(tmp_path, monkeypatch):
    model = load_model(make(tmp_path / "model"), torch.float32)
    original = type(model).forward

    def scaled(self, *args, **named):
        output = original(self, *args, **named)
        output.last_hidden_state = output.last_hidden_state * 2
        return output

    monkeypatch.setattr(type(model), "forward", scaled)
    with pytest.raises(ValueError, match=r"GPTNeoXModel \(gpt_neox\) does something unknown"):
        Probe(model, PLAIN)


@pytest.mark.parametrize(
    "message",
    ["CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "CUDNN_STATUS_ALLOC_FAILED"],
)
def test_a_librarys_failed_allocation_is_out_of_memory(message):
    assert is_full(RuntimeError(message))
    assert not is_full(RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"))


def test_weights_that_do_not_fit_on_the_device_are_told_in_one_line(tmp_path, monkeypatch):
    probe = Probe(load_model(make(tmp_path / "model"), torch.float32), PLAIN)

    def full(*args, **named):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(ValueError, match=r"^model: GPTNeoXModel \(gpt_neox\) does not fit into the memory of cuda:0"):
        probe.to(torch.device("cuda:0"))


def test_the_library_agrees_with_what_was_proven(tmp_path):
    folder = make(tmp_path / "model", "roberta")
    probe = Probe(load_model(folder, torch.float32), PLAIN)
    assert (probe.proven, probe.packs, probe.position_limit) == (
        True,
        0,
        load(folder)[0].config.max_position_embeddings - 2,
    )


def test_a_model_that_scales_its_weights_by_itself_takes_the_next_revisions(tmp_path):
    """RWKV halves later blocks' weights in place when it first runs: those of another revision would stay whole."""
    folders = [make(tmp_path / f"{seed}", "rwkv", seed=seed) for seed in (1, 2)]
    session = ProbeSession(ProbeConfig("cpu"))
    swapped = [column(folder, session=session) for folder in folders][1]
    np.testing.assert_allclose(swapped, column(folders[1]), atol=1e-6)
