"""Shapes, losses, optimizer, checkpoint files: the parts that `fit` wires."""

import math
import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch.nn.functional import cross_entropy

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.runs.identity import differences
from tl_search.training.checkpoint_io import AtomicCheckpointIO
from tl_search.training.families.pythia import Pythia
from tl_search.training.optim import AdamW, Phase
from tl_search.training.terms import check_terms, loss_term
from tl_search.training.tokens import ByteTokenizer

# Parameters with and without embeddings, as the Pythia suite states them in its table 1.
PUBLISHED = {
    "pythia-70m": (70_426_624, 18_915_328),
    "pythia-160m": (162_322_944, 85_056_000),
    "pythia-410m": (405_334_016, 302_311_424),
    "pythia-1b": (1_011_781_632, 805_736_448),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_shapes_have_the_published_number_of_parameters(name):
    from pathlib import Path

    from transformers import AutoModelForCausalLM

    node = OmegaConf.to_container(OmegaConf.load(Path(__file__).parents[2] / "conf" / "model" / f"{name}.yaml"))
    assert node.pop("_target_").endswith(".Pythia")
    config = Pythia(**{**node, "vocabulary_multiple": 50304}).config(ByteTokenizer().build())
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    total = sum(weight.numel() for weight in model.parameters())
    assert (total, total - 2 * 50304 * config.hidden_size) == PUBLISHED[name]
    assert config.rope_parameters["partial_rotary_factor"] == 0.25
    assert config.use_parallel_residual


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"heads": 5}, "heads"),
        ({"blocks": 0}, "blocks"),
        ({"rotary_share": 0.1}, "rotary_share"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_impossible_shapes_are_refused_by_field(changes, field):
    with pytest.raises(ValueError, match=f"^{field}: must"):
        Pythia(**{"width": 32, "blocks": 2, "heads": 4, **changes})


def test_building_a_model_leaves_the_global_generator_alone():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    Pythia(16, 1, 2, 16).build(ByteTokenizer().build(), seed=3)
    assert torch.equal(torch.rand(1), expected)


def test_the_rate_warms_up_and_falls_along_a_cosine():
    optimizer = AdamW(warmup_steps=4, final_share=0.1)
    shares = [optimizer.share_at(step, total=25) for step in range(25)]
    assert shares[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert shares[14] == pytest.approx(0.55)  # half of the way down
    assert shares[24] == pytest.approx(0.1)


@given(st.integers(0, 50), st.floats(0, 1), st.integers(1, 200), st.data())
def test_the_rate_never_leaves_its_bounds(warmup, final, total, data):
    step = data.draw(st.integers(0, total))
    share = AdamW(warmup_steps=warmup, final_share=final).share_at(step, total)
    assert 0 < share <= 1 or (share == 0 and final == 0)
    assert step < warmup or share >= final - 1e-12


def test_biases_and_norms_do_not_decay():
    model = Pythia(16, 1, 2, 16).build(ByteTokenizer().build(), seed=0)
    optimizer, _ = AdamW(weight_decay=0.3).build(model, lambda step: Phase(0, 0, 10))
    decay = {id(weight): group["weight_decay"] for group in optimizer.param_groups for weight in group["params"]}
    for name, weight in model.named_parameters():
        assert decay[id(weight)] == (0.0 if "norm" in name or name.endswith("bias") else 0.3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lr", 0.0),
        ("lr", math.nan),
        ("betas", (0.9,)),
        ("betas", (0.9, 1.0)),
        ("final_share", 1.5),
        ("warmup_steps", -1),
    ],
)
def test_bad_optimizer_values_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"^{field}: must be"):
        AdamW(**{field: value})


def test_loss_terms_are_what_their_names_say():
    logits, targets = torch.randn(2, 3, 5), torch.randint(5, (2, 3))
    expected = sum(cross_entropy(logits[text, place], targets[text, place]) for text in range(2) for place in range(3))
    assert loss_term("next_token")(logits, targets) == pytest.approx(float(expected) / 6, rel=1e-5)
    assert loss_term("log_normaliser")(logits.log_softmax(-1), targets) == pytest.approx(0, abs=1e-6)
    assert loss_term("log_normaliser")(logits.log_softmax(-1) + 2, targets) == pytest.approx(4, rel=1e-5)


def test_an_unknown_term_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match=r"^curriculum\.stages\.a\.weights: .*did you mean next_token\?"):
        check_terms(Curriculum({"a": Stage("a", weights={"next_tokens": 1.0})}))
    with pytest.raises(ValueError, match="weight > 0"):
        check_terms(Curriculum({"a": Stage("a", weights={"next_token": 0.0})}))


def test_a_state_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path, writer = tmp_path / "state.ckpt", AtomicCheckpointIO()
    writer.save_checkpoint({"step": 1}, path)
    with pytest.raises(Exception, match="pickle"):
        writer.save_checkpoint({"step": lambda: None}, path)
    assert writer.load_checkpoint(path) == {"step": 1}
    assert os.listdir(tmp_path) == ["state.ckpt"]


def test_a_state_with_code_in_it_is_not_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"trap": Trap()}, tmp_path / "state.ckpt")
    with pytest.raises(Exception, match=r"[Ww]eights"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "state.ckpt", weights_only=False)
    assert not (tmp_path / "ran").exists()


def test_differences_name_the_path_and_both_values():
    before, now = {"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3, "d": 4}}
    assert differences(before, now) == "a.c was 2, now 3; a.d was 'absent', now 4"
    assert differences(dict.fromkeys("abc", 1), {}, limit=2).endswith("and 1 more")
