"""A loss term may lie outside this package; it is checked before anything heavy is loaded."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.training.terms import check_terms, loss_term


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


def test_terms_are_checked_without_loading_them(outside):
    with pytest.raises(ValueError, match=r"log_normaliser, next_token, sharpness, got 'sharpnes'; did you mean sharpn"):
        check_terms(Curriculum({"a": Stage("a", weights={"sharpnes": 1.0})}))
    code = """
        import sys
        from tl_search.plane.curriculum import Curriculum, Stage
        from tl_search.training.terms import check_terms
        check_terms(Curriculum({"a": Stage("a", weights={"next_token": 1.0, "sharpness": 1.0})}))
        print(sorted({"torch", "mine.losses.sharpness"} & set(sys.modules)))
    """
    assert fresh(outside, code) == "[]\n"


def test_a_module_without_a_loss_is_named(outside):
    with pytest.raises(ValueError, match=r"empty must be a module with a function loss\(logits, targets\)"):
        loss_term("empty")
