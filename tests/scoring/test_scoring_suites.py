"""Suites: which data chooses, which data reports."""

import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tl_search.scoring.catalogue import task_names
from tl_search.scoring.suites import Suite

FILES = sorted(Path(__file__).parents[2].glob("conf/tasks/*.yaml"))


def test_chooses_on_one_split_and_reports_on_the_other(tiny):
    suite = Suite(names=["TinySTS", "TinyLanguages"], subsets={"TinyLanguages": "de"})
    assert [(task.name, task.split, task.subset) for task in suite.selection()] == [
        ("TinySTS", "selection", "default"),
        ("TinyLanguages", "selection", "de"),
    ]
    assert {task.split for task in suite.confirmation()} == {"confirmation"}
    chosen, reported = (suite.texts(tasks)["TinyLanguages"] for tasks in (suite.selection(), suite.confirmation()))
    assert chosen
    assert not set(chosen) & set(reported)


def test_the_corpus_is_of_training_splits_alone(tiny):
    suite = Suite(names=["TinyClassification", "TinyPairs", "TinySTS", "TinyClusteredSets", "TinyRetrieval"])
    texts = suite.training_texts()
    assert {task: len(found) for task, found in texts.items()} == {
        "TinyClassification": 120, "TinyPairs": 300, "TinySTS": 0, "TinyClusteredSets": 0, "TinyRetrieval": 0,
    }  # fmt: skip
    assert list(texts["TinyClassification"]) == tiny["TinyClassification"]().rows("train")["text"]
    pairs = Suite(["TinyPairs"])
    read = [pairs.texts(tasks)["TinyPairs"] for tasks in (pairs.selection(), pairs.confirmation())]
    assert not set(texts["TinyPairs"]) & {text for of_split in read for text in of_split}


def test_a_training_split_that_is_reported_on_is_not_read(tiny):
    suite = Suite(names=["TinyPairs"], confirmation_split="train")
    assert suite.training_texts() == {"TinyPairs": ()}
    assert len(Suite(names=["TinyPairs"], selection_split="train").training_texts()["TinyPairs"]) == 300


def test_one_split_for_both_is_refused_unless_it_is_asked_for():
    with pytest.raises(ValueError, match=r"confirmation_split: must be another split.*got 'test' for both"):
        Suite(names=["STS12"], selection_split="test", confirmation_split="test")
    suite = Suite(names=["STS12"], selection_split="test", confirmation_split="test", allow_same_split=True)
    assert suite.same_split
    assert not Suite(names=["STS12"]).same_split


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"names": []}, "names: must be at least one task"),
        ({"names": ["A", "B", "A"]}, "names: each task may be listed once, got A"),
        ({"names": ["A"], "subsets": {"B": "en"}}, "subsets: must name only tasks that are in names, got B"),
    ],
)
def test_a_suite_that_makes_no_sense_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Suite(**wrong)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_suite_file_builds(file):
    node = OmegaConf.load(file)
    assert node.pop("_target_") == "tl_search.scoring.suites.Suite"
    if file.stem == "folder":
        node.folder = "tasks"
    OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Suite), node))


def test_the_stdlib_suites_name_our_own_tasks():
    whole = OmegaConf.load(next(file for file in FILES if file.stem == "stdlib"))
    assert list(whole.names) == list(task_names())
    for file in FILES:
        if file.stem.startswith("stdlib"):
            assert set(OmegaConf.load(file).names) <= set(task_names())


def test_naming_a_suite_imports_nothing_heavy():
    code = (
        "import sys, tl_search.scoring.suites; print(sorted({'mteb', 'torch', 'datasets', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
