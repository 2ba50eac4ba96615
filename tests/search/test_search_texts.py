"""Texts are embedded once per column, whatever tasks share."""

from hypothesis import given
from hypothesis import strategies as st

from tl_search.plane.pull import TaskSpec
from tl_search.search.texts import SuiteTexts

words = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=8, unique=True)


def suite(lists):
    tasks = tuple(TaskSpec(f"t{number}", "r", "test", "STS", "x") for number in range(len(lists)))
    return SuiteTexts(tasks, {task.name: tuple(texts) for task, texts in zip(tasks, lists, strict=True)})


@given(st.lists(words, min_size=1, max_size=5))
def test_every_text_lies_in_one_part_and_a_task_finds_all_of_its_own(lists):
    texts = suite(lists)
    everything = [text for part in texts.parts.values() for text in part]
    assert len(everything) == len(set(everything))
    for task, own in texts.texts.items():
        found = {text for owner in texts.needs[task] for text in texts.parts[owner]}
        assert set(own) <= found


@given(st.lists(words, min_size=1, max_size=5))
def test_the_cost_of_embedding_counts_every_text_once(lists):
    texts = suite(lists)
    assert sum(size.fresh_characters for size in texts.sizes().values()) == len(set().union(*lists))


def test_what_a_task_needs_does_not_depend_on_later_tasks():
    short, long = suite(["ab", "bc"]), suite(["ab", "bc", "abcd"])
    assert short.parts == {name: long.parts[name] for name in short.parts}
    assert long.parts["t2"] == ("d",)
    assert long.needs["t2"] == ("t0", "t1", "t2")
