"""Packed texts in one attention call a layer: chosen where the device's kernel gives vectors that are as good.

No test needs a GPU: a stand-in computes what torch's kernel is documented to give.
"""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from probe.tiny_models import make

from tl_search.plane.extraction import Dtype, Extraction, FinalNorm, Pooling
from tl_search.probe import batching, packing, varlen
from tl_search.probe.loading import load_model
from tl_search.probe.module import Probe
from tl_search.probe.pooling import pool, pool_packed

HALF = Extraction(FinalNorm.last_only, dtype=Dtype.bfloat16)
LENGTHS = (7, 5, 5, 1)


def kernel(query, key, value, starts, starts_of_keys, longest, longest_key, *, scale=None, window_size=(-1, -1), **gqa):
    """Each text alone, (token, head, size) → the same, as torch's documentation says."""
    assert torch.equal(starts, starts_of_keys)
    assert starts.dtype == torch.int32
    assert longest == longest_key == int(starts.diff().max())
    parts = []
    for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        q, k, v = (states[first:last].transpose(0, 1) for states in (query, key, value))
        one_way = window_size == (-1, 0)
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=one_way, scale=scale, **gqa)
        parts.append(out.transpose(0, 1))
    return torch.cat(parts)


def seeing_other_texts(query, key, value, starts, *rest, **named):
    ends = starts[[0, -1]]
    return kernel(query, key, value, ends, ends, len(query), len(query), **named)


def of_another_version(query, key, value, starts, starts_of_keys, longest, longest_key, is_causal=False):
    raise AssertionError("it must not be called with arguments that it does not know")


@pytest.fixture
def chosen(monkeypatch):
    """The name of the attention that a probe chooses on a device with this kernel."""

    def choose(folder, function, family="gpt_neox"):
        monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", function)
        monkeypatch.setattr(varlen, "possible", lambda device, dtype: True)
        probe = Probe(load_model(make(folder, family), torch.bfloat16), HALF)
        probe.choose_packed_attention()
        return probe

    return choose


@pytest.mark.parametrize("family", ["gpt_neox", "llama"])
def test_a_kernel_that_gives_the_same_vectors_is_chosen_and_used(tmp_path, chosen, family):
    probe = chosen(tmp_path / "model", kernel, family)
    assert probe.packed_attention == varlen.NAME
    rows = [np.arange(1, length + 1, dtype=np.int32) for length in LENGTHS]
    (batch,) = batching.Batches(rows, 64, None)
    ours = probe.predict_step(batch)
    probe.packed_attention = packing.NAME
    torch.testing.assert_close(ours, probe.predict_step(batch), atol=0.02, rtol=0.02)


@pytest.mark.parametrize("function", [seeing_other_texts, of_another_version])
def test_another_kernel_is_not(tmp_path, chosen, function):
    assert chosen(tmp_path / "model", function).packed_attention == packing.NAME


def test_a_processor_has_a_call_for_each_length(tmp_path):
    probe = Probe(load_model(make(tmp_path / "model"), torch.bfloat16), HALF)
    probe.choose_packed_attention()
    assert probe.packed_attention == packing.NAME
    assert not varlen.possible(torch.device("cuda"), torch.float32)
    assert varlen.possible(torch.device("cuda"), torch.bfloat16)


def test_the_choice_is_made_anew_on_another_device_only(tmp_path, chosen):
    probe = chosen(tmp_path / "model", kernel)
    probe.packed_attention = "kept"
    probe.on_predict_start()
    assert probe.packed_attention == "kept"
    probe._tried_on = torch.device("cuda:1")
    probe.on_predict_start()
    assert probe.packed_attention == varlen.NAME


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.sampled_from(Pooling), st.integers(0, 2**31))
def test_packed_states_are_pooled_as_those_of_each_text(lengths, pooling, seed):
    states = torch.randn(sum(lengths), 3, generator=torch.Generator().manual_seed(seed))
    starts = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)
    expected = [pool(text[None], None, pooling) for text in states.split(lengths)]
    torch.testing.assert_close(pool_packed(states, starts, pooling), torch.cat(expected))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_positions_begin_anew_at_each_text(lengths):
    (batch,) = batching.Batches([np.ones(length, np.int32) for length in lengths], 100, None)
    expected = [place for length in batch.lengths.tolist() for place in range(length)]
    assert packing.positions(batch).tolist() == [expected]
    assert packing.positions(batch).dtype == torch.int64  # what every model takes
