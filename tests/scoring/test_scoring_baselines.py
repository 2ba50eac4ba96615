"""What rules that know nothing of code reach on the embedded tasks, and the page that says so."""

import importlib.util
import re
from pathlib import Path

import pytest

from tl_search.scoring.catalogue import get_task, task_names

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def rules():
    spec = importlib.util.spec_from_file_location("baselines", ROOT / "experiments/task_baselines/measure.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("rule", ["length", "first character", "last character", "byte histogram"])
@pytest.mark.parametrize("task", ["Typo", "TokenOrder", "LineOrder"])
@pytest.mark.slow_but_every(6)
def test_what_asks_for_the_order_is_not_told_by_anything_else(rules, task, rule):
    assert abs(rules.score(f"Stdlib{task}Classification", rule) - 50) < 6


def test_how_a_line_ends_does_not_tell_the_next_indentation(rules):
    assert rules.score("StdlibIndentClassification", "last character") < 50


def test_the_page_has_every_task_and_every_rule(rules):
    page = (ROOT / "docs" / "tasks.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|.*\|$", page, re.MULTILINE)
    assert rows == list(task_names())
    assert f"| {' | '.join(rules.RULES)} |" in page


def test_a_task_that_is_made_in_another_way_has_another_revision_and_the_others_keep_theirs():
    revisions = {name: get_task(name).metadata.dataset["revision"] for name in task_names()}
    mended = {f"Stdlib{name}Classification" for name in ("Indent", "TokenOrder", "LineOrder")}
    other_heads = {name for name in task_names() if "Classification" in name and "Pair" not in name} - mended
    groups = (mended, other_heads, revisions.keys() - mended - other_heads)
    assert [len({revisions[name] for name in group}) for group in groups] == [1, 1, 1]
    assert len(set(revisions.values())) == 3
