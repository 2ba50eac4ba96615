"""A loss term and a model family are one new file, which may lie outside this package; a fresh process uses them."""

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
import tiny_run
from transformers import AutoModelForCausalLM, GPT2Config

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.store.atomic import read_json
from tl_search.training.fit import fit
from tl_search.training.model import random_weights
from tl_search.training.terms import check_terms, loss_term
from tl_search.training.tokens import rows


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A person's package with one loss term, importable and allowed."""
    (tmp_path / "mine" / "losses").mkdir(parents=True)
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "mine" / "losses" / "__init__.py").touch()
    (tmp_path / "mine" / "losses" / "sharpness.py").write_text(
        "def loss(logits, targets):\n    return -logits.softmax(-1).max(-1).values.mean()\n"
    )
    (tmp_path / "mine" / "losses" / "empty.py").touch()
    monkeypatch.setenv("TL_PLUGINS", "mine")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def fresh(outside, script):
    """What a script prints in a process of its own, which finds the tests' parts and the other package."""
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (here.parents[1], here, outside)))}
    command = [sys.executable, "-c", textwrap.dedent(script), str(outside)]
    return subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout


def test_a_run_is_trained_with_a_loss_term_of_another_package(outside):
    script = """
        import sys
        from pathlib import Path
        import tiny_run
        from tl_search.plane.curriculum import Curriculum, Stage
        from tl_search.training.fit import fit
        stage = Stage("mine", losses={"next_token": 1.0, "sharpness": 0.1})
        folder = Path(sys.argv[1])
        fit(tiny_run.plan(folder, curriculum=Curriculum({"mine": stage}), trainer={"max_steps": 2}), folder / "run")
    """
    fresh(outside, script)
    assert read_json(outside / "run" / "DONE.json")["step"] == 2
    assert read_json(outside / "run" / "revisions" / "step2" / "MANIFEST.json")["stage"] == "mine"


def test_terms_are_checked_without_loading_them(outside):
    with pytest.raises(ValueError, match=r"log_normaliser, next_token, sharpness, got 'sharpnes'; did you mean sharpn"):
        check_terms(Curriculum({"a": Stage("a", losses={"sharpnes": 1.0})}))
    code = """
        import sys
        from tl_search.plane.curriculum import Curriculum, Stage
        from tl_search.training.terms import check_terms
        check_terms(Curriculum({"a": Stage("a", losses={"next_token": 1.0, "sharpness": 1.0})}))
        print(sorted({"torch", "mine.losses.sharpness"} & set(sys.modules)))
    """
    assert fresh(outside, code) == "[]\n"


def test_a_module_without_a_loss_is_named(outside):
    with pytest.raises(ValueError, match=r"empty must be a module with a function loss\(logits, targets\)"):
        loss_term("empty")


@dataclass(frozen=True)
class SmallGPT2:
    """A family that this package does not know."""

    width: int = 16
    context: int = 16

    def parameters(self, vocabulary):
        return vocabulary * self.width

    def flops_per_token(self, vocabulary):
        return 6.0 * self.parameters(vocabulary)

    def build(self, tokenizer, seed):
        shape = {"n_embd": self.width, "n_layer": 1, "n_head": 2, "n_positions": self.context}
        return random_weights(GPT2Config(vocab_size=rows(tokenizer), **shape), seed)


def test_a_run_is_trained_with_a_model_family_of_another_package(tmp_path):
    fit(tiny_run.plan(tmp_path, model=SmallGPT2(), trainer={"max_steps": 2}), tmp_path / "run")
    assert read_json(tmp_path / "run" / "run.json")["plan"]["model"] == {
        "class": "SmallGPT2",
        "width": 16,
        "context": 16,
    }
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "revisions" / "main")
    assert model.config.model_type == "gpt2"
    first, last = (tiny_run.weights(tmp_path / "run", name) for name in ("step0", "step2"))
    assert not tiny_run.same(first, last)
