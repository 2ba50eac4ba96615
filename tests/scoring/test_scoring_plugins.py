"""A task is one new file: also in a folder outside this package, once its package is allowed."""

import sys

import numpy as np
import pytest

from tl_search.plane.arm import Arm
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.plugins import classes
from tl_search.scoring.catalogue import HOME, get_task, task_names
from tl_search.scoring.evaluation import score_cell
from tl_search.scoring.suites import Suite
from tl_search.store.keys import text_digest

TASK = '''
"""Which word does a text have?"""

from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata


class Plain:
    """Without a base, so no task."""


class ParitySTS(AbsTaskSTS):
    metadata = TaskMetadata(
        name="ParitySTS", description="", type="STS", main_score="cosine_spearman", category="t2t",
        eval_splits=["selection", "confirmation"], eval_langs=["eng-Latn"],
        dataset={"path": "parity", "revision": "1"},
    )

    def load_data(self, num_proc=None, **_):
        rows = {"sentence1": [f"a {n}" for n in range(40)], "sentence2": [f"b {n}" for n in range(40)]}
        table = Dataset.from_dict({**rows, "score": [float(n % 2) for n in range(40)]})
        self.dataset, self.data_loaded = DatasetDict({split: table for split in self.metadata.eval_splits}), True


class OtherName(ParitySTS):
    """Its metadata is another task's."""
'''


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder with a package that has a module of tasks; it is importable, and not allowed yet."""
    (tmp_path / "elsewhere" / "tasks").mkdir(parents=True)
    (tmp_path / "elsewhere" / "tasks" / "similarity.py").write_text(TASK)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "elsewhere"]:
        del sys.modules[name]


def test_a_task_from_another_folder_is_found_and_scored(elsewhere, monkeypatch):
    monkeypatch.setenv("TL_PLUGINS", "elsewhere")
    assert task_names()[-2:] == ("ParitySTS", "OtherName")
    suite = Suite(["ParitySTS"])
    (task,) = suite.selection()
    texts = suite.texts((task,))["ParitySTS"]
    vectors = {
        text_digest(text): np.array([1.0 + n, 0.0] if text[0] == "b" else [1.0, n % 2])
        for text in texts
        for n in [int(text[2:])]
    }
    arm = Arm("m", Revision("step1", 1, weights="w", tokenizer="t"), 1, Extraction(dtype=Dtype.float32))
    assert score_cell(arm, task, vectors).value == pytest.approx(-1.0)
    with pytest.raises(ValueError, match=r"no task 'ParitySTZ'; did you mean ParitySTS\?"):
        get_task("ParitySTZ")
    other = r"elsewhere\.tasks\.similarity\.OtherName must be an mteb task whose metadata has the name 'OtherName'"
    with pytest.raises(ValueError, match=other):
        get_task("OtherName")


def test_a_package_that_is_not_allowed_brings_none(elsewhere, monkeypatch):
    assert set(classes(HOME).values()) == {f"{HOME}.stdlib"}
    monkeypatch.setenv("TL_PLUGINS", "elsewhere,nowhere")
    assert classes(HOME)["ParitySTS"] == "elsewhere.tasks.similarity"
    assert "elsewhere.tasks.similarity" not in sys.modules
    assert "Plain" not in task_names()
    (elsewhere / "elsewhere" / "tasks" / "broken.py").write_text("class Broken(:")
    with pytest.raises(ValueError, match=r"^elsewhere\.tasks\.broken: invalid syntax"):
        task_names()


@pytest.mark.parametrize("name", task_names())
def test_names_and_classes_agree(name):
    from tl_search.scoring.tasks import stdlib

    assert getattr(stdlib, name).metadata.name == name
