"""The average of the weights, lower precision and compiled models: all of them inside what resumes."""

import shutil
from dataclasses import replace

import pytest
import torch
from tiny_run import PLAN, At, PowerCut, cut, plan, same, weights
from transformers import AutoModelForCausalLM

from tl_search.plane.schedules.linear import LinearSchedule
from tl_search.runs.index import index_of
from tl_search.store.atomic import read_json
from tl_search.training.fit import fit
from tl_search.training.retention import Checkpointing, RevisionWeights

EVERY = LinearSchedule(first_epoch_checkpoints=None, linear_interval=1)


def state(run, step):
    return torch.load(run / "checkpoints" / f"step{step}" / "state.ckpt", weights_only=True)


def averaged(tmp_path, **changes):
    checkpoint = Checkpointing(save_interval=2, weights=RevisionWeights.ema)
    return plan(tmp_path, **{"ema_decay": 0.5, "checkpoint": checkpoint, **changes})


def test_the_average_is_what_its_definition_says_and_leaves_training_alone(tmp_path):
    short = {"max_steps": 3}
    fit(plan(tmp_path, schedule=EVERY, trainer=short, save_interval=2), tmp_path / "raw")
    fit(averaged(tmp_path, schedule=EVERY, trainer=short), tmp_path / "ema")
    assert same(weights(tmp_path / "raw", "step1"), weights(tmp_path / "ema", "step1"))  # begins with the first step
    expected = weights(tmp_path / "raw", "step1")
    for step in (2, 3):
        now = weights(tmp_path / "raw", f"step{step}")
        expected = {name: 0.5 * old + 0.5 * now[name] for name, old in expected.items()}
        found = weights(tmp_path / "ema", f"step{step}")
        assert all(torch.allclose(found[name], expected[name], atol=1e-6) for name in expected)
    assert same(state(tmp_path / "ema", 3)["current_model_state"], state(tmp_path / "raw", 3)["state_dict"])


def test_eval_losses_are_of_the_weights_that_revisions_hold(tmp_path):
    fit(averaged(tmp_path, trainer={"max_steps": 3}), tmp_path / "run")
    text = plan(tmp_path)
    packed = text.data.pack(text.tokenizer, tmp_path)
    from tl_search.training.data import held_out_batches

    batches = held_out_batches(packed.validation, 16, 4, 2)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "revisions" / "main").eval()
    with torch.no_grad():
        losses = [model(input_ids=batch, labels=batch).loss * len(batch) for batch in batches]
    expected = float(sum(losses)) / sum(map(len, batches))
    assert index_of(tmp_path / "run").records()[-1]["eval_loss"] == pytest.approx(expected, rel=1e-5)
    assert read_json(tmp_path / "run" / "run.json")["weights"] == "ema"


@pytest.mark.slow_but_one
@pytest.mark.parametrize("changes", [{}, {"accumulate_grad_batches": 2}, {"precision": "bf16-mixed"}], ids=str)
def test_average_and_precision_resume_bit_for_bit(tmp_path, changes):
    trainer = {"max_steps": 6, **changes}
    text = replace(plan(tmp_path).data, batch_size=2)
    fit(averaged(tmp_path, data=text, trainer=trainer), tmp_path / "whole")
    with pytest.raises(PowerCut):
        fit(averaged(tmp_path, data=text, trainer=trainer, callbacks={"cut": At(5, cut)}), tmp_path / "run")
    fit(averaged(tmp_path, data=text, trainer=trainer), tmp_path / "run")
    whole, resumed = state(tmp_path / "whole", 6), state(tmp_path / "run", 6)
    for key in ("state_dict", "current_model_state", "averaging_state"):
        assert same(whole[key], resumed[key])
    assert not same(whole["state_dict"], whole["current_model_state"])
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "run"))


@pytest.mark.parametrize("decay", [0.0, 1.0, -1.0, float("nan")])
def test_an_impossible_decay_is_refused(decay):
    with pytest.raises(ValueError, match=r"^ema_decay: must be above 0 and below 1"):
        replace(PLAN, ema_decay=decay)


def test_revisions_of_an_average_need_one():
    with pytest.raises(ValueError, match=r"^ema_decay: must be given, since checkpoint\.weights=ema"):
        replace(PLAN, checkpoint=Checkpointing(weights=RevisionWeights.ema))


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("c++")), reason="no C++ compiler for torch.compile")
@pytest.mark.slow
def test_a_compiled_model_leaves_plain_names_and_resumes_bit_for_bit(tmp_path):
    asked = {"compile": True, "ema_decay": 0.9, "trainer": {"max_steps": 4}, "save_interval": 2}
    fit(plan(tmp_path, **asked), tmp_path / "whole")
    with pytest.raises(PowerCut):
        fit(plan(tmp_path, **asked, callbacks={"cut": At(3, cut)}), tmp_path / "run")
    fit(plan(tmp_path, **asked), tmp_path / "run")
    whole, resumed = state(tmp_path / "whole", 4), state(tmp_path / "run", 4)
    for key in ("state_dict", "averaging_state"):
        assert same(whole[key], resumed[key])
    names = [*weights(tmp_path / "run"), *resumed["state_dict"]]
    assert not any("_orig_mod" in name for name in names)
    AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "revisions" / "main", local_files_only=True)


@pytest.mark.slow
def test_a_model_that_cannot_be_compiled_is_one_clear_line():
    from torch._dynamo.exc import TorchDynamoException

    from tl_search.training.compiling import compiled

    with pytest.raises(ValueError, match=r"^compile: must be false, since torch cannot .*no way$"):  # noqa: SIM117
        with compiled(torch.nn.Linear(1, 1), wanted=True):
            raise TorchDynamoException("no way")
    with pytest.raises(KeyError), compiled(torch.nn.Linear(1, 1), wanted=True):
        raise KeyError
