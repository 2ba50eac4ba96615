"""Data that cannot be had are told in one line: the task, why, and what to do."""

import pytest
from datasets.exceptions import DatasetNotFoundError
from huggingface_hub.errors import LocalEntryNotFoundError
from scoring import tiny_tasks

from tl_search.scoring import evaluation
from tl_search.scoring.evaluation import describe, fresh_task
from tl_search.scoring.fetching import fetching
from tl_search.scoring.texts import task_texts


@pytest.mark.parametrize(
    ("name", "subset", "command"),
    [
        ("STS12", None, "mteb.get_task('STS12', eval_splits=['test']).load_data()"),
        ("FiQA2018", None, "mteb.get_task('FiQA2018', eval_splits=['test']).load_data()"),
        ("STS17", "en-en", "mteb.get_task('STS17', hf_subsets=['en-en'], eval_splits=['test']).load_data()"),
    ],
)
def test_a_task_that_is_not_in_the_cache_comes_with_the_command_that_fetches_it(monkeypatch, name, subset, command):
    for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(variable, "1")
    with pytest.raises(ValueError) as told:
        task_texts(name, "test", subset)
    line = str(told.value)
    assert line.startswith(f"task: {name} is not in the cache, and HF_HUB_OFFLINE is set, so nothing is fetched; ")
    assert line.endswith(f'HF_HUB_OFFLINE=0 HF_DATASETS_OFFLINE=0 python -c "import mteb; {command}"')


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (DatasetNotFoundError("Dataset 'tiny' is a gated dataset on the Hub. You must be authenticated to access it."),
         "task: TinySTS comes from tiny, which is gated: ask for access at https://huggingface.co/datasets/tiny, then"),
        (RuntimeError("Dataset scripts are no longer supported, but found tiny.py"),
         "task: TinySTS comes from tiny, a data set that is made by a script, which is not run; or leave TinySTS out"),
        (DatasetNotFoundError("Dataset 'tiny' doesn't exist on the Hub or cannot be accessed."),
         "task: TinySTS comes from tiny at revision r1, which is not there any more; or leave TinySTS out"),
        (LocalEntryNotFoundError("Cannot find an appropriate cached snapshot folder"), "is not in the cache"),
    ],
)  # fmt: skip
def test_what_the_hub_refuses_is_told_with_the_tasks_name(monkeypatch, error, sentence):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"^task: TinySTS") as told, fetching(tiny_tasks.TinySTS()):
        raise error
    assert sentence in str(told.value)
    assert len(str(told.value).splitlines()) == 1


def test_a_network_that_fails_stays_what_it_is(monkeypatch):
    for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConnectionError, match="ConnectTimeout"), fetching(tiny_tasks.TinySTS()):
        raise ConnectionError("Couldn't reach 'tiny' on the Hub (ConnectTimeout)")


class OneClass(tiny_tasks.TinyClassification):
    metadata = tiny_tasks.metadata("OneClass", "Classification", "accuracy")

    def rows(self, split):
        rows = super().rows(split)
        return {**rows, "label": [7] * 120} if split == "selection" else rows


def test_labels_of_a_single_class_are_refused(monkeypatch):
    monkeypatch.setattr(evaluation, "get_task", lambda name, folder=None: OneClass())
    with pytest.raises(ValueError, match=r"OneClass: split selection, column label: must have at least two classes, "
                       r"got only 7; leave the task out of tasks.names, or name another split"):  # fmt: skip
        fresh_task(describe("OneClass", "selection"))
    fresh_task(describe("OneClass", "confirmation"))


def test_a_subset_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match=r"subset: must be one of .*, got 'en-xx'; did you mean en-"):
        describe("STS17", "test", "en-xx")
    with pytest.raises(ValueError, match=r"subset: STS17 has 11 \(.*\), so one must be named"):
        describe("STS17", "test")
    assert describe("STS17", "test", "en-en, en-de").subsets == ("en-en", "en-de")
