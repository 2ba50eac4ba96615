"""The embedded tasks: proper mteb tasks, the same on every machine, honestly split."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import combinations

import numpy as np
import pytest
import torch

from tl_search.scoring.catalogue import get_task, task_names
from tl_search.scoring.stdlib import functions as source
from tl_search.scoring.stdlib import items as items
from tl_search.text import stdlib

SPLITS = ("selection", "confirmation")


@cache
def loaded(name):
    task = get_task(name)
    task.load_data()
    return task


def texts_of(name, split):
    """Every text of a split, and the labels where it has some."""
    dataset = loaded(name).dataset
    if "default" in dataset:
        table = dataset["default"][split]
        return [*table["queries"]["text"], *table["corpus"]["text"]], []
    table = dataset[split]
    labels = next(column for column in table.column_names if column in ("label", "labels"))
    return ([text for column in table.column_names if column != labels for text in table[column]], list(table[labels]))


def splits_of(name):
    return ("train", *SPLITS) if "Classification" in name and "Pair" not in name else SPLITS


class TinyEncoder:
    """A real encoder: byte embeddings, one mixing layer, mean pooling; random weights of a fixed seed."""

    def __new__(cls):
        from mteb.models.abs_encoder import AbsEncoder
        from mteb.models.model_meta import ModelMeta, ScoringFunction

        class Encoder(AbsEncoder):
            def __init__(self):
                generator = torch.Generator().manual_seed(0)
                self.table = torch.randn(257, 16, generator=generator)
                self.mix = torch.randn(32, 16, generator=generator) / 4
                self.mteb_model_meta = ModelMeta.create_empty(
                    overwrites={
                        "name": "tests/tiny",
                        "revision": "step0",
                        "framework": ["PyTorch"],
                        "similarity_fn_name": ScoringFunction.COSINE,
                    }
                )

            def encode(self, inputs, **_):
                return np.stack([self.vector(text) for batch in inputs for text in batch["text"]])

            def vector(self, text):
                states = self.table[torch.tensor(list(text.encode()))]
                pairs = torch.cat([states, states.roll(1, 0)], dim=1)
                return torch.tanh(pairs @ self.mix).mean(0).numpy()

        return Encoder()


def score(task, split):
    return task.evaluate(TinyEncoder(), split, encode_kwargs={"batch_size": 256})["default"]


def test_every_module_is_in_one_part():
    parts = {part: {module.name for module in stdlib.modules(part)} for part in stdlib.PARTS}
    for one, other in combinations(stdlib.PARTS, 2):
        assert not parts[one] & parts[other]
    assert set.union(*parts.values()) == {module.name for module in stdlib.modules()}


def test_a_module_keeps_its_part_whatever_else_is_there(tmp_path):
    assert [stdlib.Module(name, tmp_path).part for name in ("inspect", "argparse", "ast", "typing")] == [
        "train",
        "practice",
        "selection",
        "confirmation",
    ]


def test_there_is_enough_text_to_learn_from():
    assert sum(len(module.read().encode()) for module in stdlib.modules("train")) >= 4_000_000


def test_what_distributions_package_apart_is_left_out():
    names = {module.name for module in stdlib.modules()}
    assert {"json.decoder", "asyncio", "argparse"} <= names
    assert not [
        name
        for name in names
        if {"test", "tests", "idlelib", "tkinter", "distutils", "encodings"} & set(name.split("."))
    ]


def test_an_unknown_part_names_the_parts():
    with pytest.raises(ValueError, match=r"part: must be one of train, practice, selection, confirmation, got 'dev'"):
        stdlib.modules("dev")


def test_asking_for_names_needs_neither_torch_nor_mteb():
    code = "import sys; from tl_search.scoring.catalogue import task_names; task_names(); print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "mteb", "numpy", "datasets"} & set(printed.split())


@pytest.mark.slow_but_one
@pytest.mark.parametrize("name", task_names())
def test_no_text_is_in_two_splits(name):
    texts = {split: set(texts_of(name, split)[0]) for split in splits_of(name)}
    for one, other in combinations(texts, 2):
        assert texts[one].isdisjoint(texts[other])


@pytest.mark.parametrize("split", SPLITS)
def test_no_evaluated_passage_function_or_line_is_in_the_training_text(split):
    library = [module.read() for module in stdlib.modules("train")]
    rows = {row.strip() for text in library for row in text.splitlines()}
    held_out = [*source.passages(split, items.PASSAGE), *(function.code for function in source.functions(split))]
    for text in held_out:
        long = [row.strip() for row in text.splitlines() if len(row.strip()) >= 16]
        assert 2 * sum(row in rows for row in long) < len(long)
    assert not rows & set(source.lines(split))


@pytest.mark.parametrize("name", task_names())
def test_enough_items_and_balanced_labels(name):
    for split, least in (("selection", 300), ("confirmation", 500)):
        texts, labels = texts_of(name, split)
        assert len(set(texts)) >= least
        assert all(text.isascii() and 0 < len(text.strip()) <= len(text) <= items.LENGTH for text in texts)
        if labels:
            counts = Counter(labels)
            assert len(counts) > 1
            assert max(counts.values()) <= 5 * min(counts.values())
            if name.endswith(("OrderClassification", "TypoClassification", "HalvesPairClassification")):
                assert len(set(counts.values())) == 1


def test_labels_are_not_in_file_order():
    for name in task_names():
        _, labels = texts_of(name, "selection")
        if labels and "Pair" not in name:
            assert len(set(labels[:20])) > 1


def test_mteb_has_nothing_to_strip_from_a_document():
    texts, _ = texts_of("StdlibDocstringRetrieval", "confirmation")
    assert all(text == text.strip() for text in texts)


def test_a_query_is_not_in_its_document():
    table = loaded("StdlibDocstringRetrieval").dataset["default"]["selection"]
    documents = dict(zip(table["corpus"]["id"], table["corpus"]["text"], strict=True))
    queries = dict(zip(table["queries"]["id"], table["queries"]["text"], strict=True))
    for query, relevant in table["relevant_docs"].items():
        (document,) = relevant
        assert queries[query] not in " ".join(documents[document].split())


def test_the_name_of_a_function_is_gone():
    function = source.Function("m", "read_all", "", "def read_all(self):\n    return self.read_all()")
    assert function.nameless == "def _(self):\n    return self._()"


@pytest.mark.parametrize(
    "disturb",
    [
        lambda text: source.swap_letters(text, 6, items.PASSAGE),
        lambda text: source.swap_tokens(text, 6),
        source.shuffle_lines,
    ],
)
def test_disturbed_passages_keep_their_bytes(disturb):
    for passage in source.passages("selection", items.PASSAGE)[:200]:
        assert Counter(disturb(passage)) == Counter(passage)
        assert disturb(passage) == disturb(passage)


def test_exactly_six_pairs_of_letters_are_exchanged():
    passage = next(text for text in source.passages("selection", items.PASSAGE) if text.count("e") > 8)
    disturbed = source.swap_letters(passage, 6, items.PASSAGE)
    assert sum(a != b for a, b in zip(passage, disturbed, strict=True)) == 12


@pytest.mark.slow_but_one
@pytest.mark.parametrize("name", task_names())
def test_fresh_objects_give_equal_scores(name):
    first, second = loaded(name), get_task(name)
    assert first is not second
    assert get_task(name).dataset is None
    one = score(first, "selection")
    second.load_data()
    assert one["main_score"] == score(second, "selection")["main_score"]
    assert 0 <= one["main_score"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", task_names())
def test_mteb_evaluates_both_splits(name, tmp_path):
    import mteb

    task = get_task(name)
    assert task.metadata.eval_splits == list(SPLITS)
    assert task.metadata.dataset["path"] == "tl_search/stdlib"
    assert task.metadata.dataset["revision"].startswith(f"py{stdlib.python_version()}-")
    results = mteb.evaluate(
        TinyEncoder(), task, cache=mteb.ResultCache(tmp_path), co2_tracker=False, show_progress_bar=False
    )
    (result,) = results.task_results
    assert set(result.scores) == set(SPLITS)
    assert result.dataset_revision == task.metadata.dataset["revision"]


def test_making_a_task_leaves_every_generator_as_it_was():
    get_task(task_names()[0])  # the import itself is over
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), torch.rand(1).item()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    get_task(task_names()[0]), get_task("STSBenchmark")
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected


@pytest.mark.parametrize(
    ("wrong", "right"), [("StdlibTypoClasification", "StdlibTypoClassification"), ("stsbenchmark", "STSBenchmark")]
)
def test_an_unknown_name_is_answered_with_the_nearest(wrong, right):
    with pytest.raises(ValueError, match=rf"names: no task '{wrong}'; did you mean .*{right}"):
        get_task(wrong)
