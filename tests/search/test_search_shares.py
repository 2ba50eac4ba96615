"""A search on a share of the items: it embeds and pays for less, confirms on all, and says what it looked at."""

from dataclasses import replace

import pytest
from search.conftest import TASKS

from tl_search.bandits.random import Random
from tl_search.cli.main import main
from tl_search.plane.arm import Plane
from tl_search.plane.costs import Workload
from tl_search.plane.sampling import Uniform
from tl_search.report.findings import read_findings
from tl_search.report.html import render_page
from tl_search.report.model_card import render_card
from tl_search.runs.open import open_run
from tl_search.scoring.ledger import Ledger
from tl_search.scoring.suites import Suite
from tl_search.search.budget import Budget
from tl_search.search.run import run_search, survey
from tl_search.search.workload import work_of

THIRD = Suite(TASKS, items="1/3")


def texts_of(suite, tasks):
    return {text for found in suite.texts(tasks).values() for text in found}


def test_a_search_on_a_third_embeds_a_third_confirms_on_all_and_says_so(plan, tiny, tmp_path, count):
    few, many, held = (
        texts_of(suite, tasks)
        for suite, tasks in (
            (THIRD, THIRD.selection()), (Suite(TASKS), Suite(TASKS).selection()), (THIRD, THIRD.confirmation())
        )
    )  # fmt: skip
    assert len(few) < 0.4 * len(many)
    short = plan(tasks=THIRD, sampling=Uniform(2), bandit=Random(), budget=Budget(share=0.1))
    assert run_search(short, tmp_path / "run") == 0
    embedded = {"first": 0, "later": 0}
    for (kind, revision, first, number), _ in ((key, n) for key, n in count.items() if key[0] == "pass"):
        assert (kind, revision) in {("pass", one.name) for one in survey(short).revisions}
        embedded["first" if first in few else "later"] += number
        assert first in few | held
    columns = {key[1] for key in count if key[0] == "pass" and key[2] in few}
    assert embedded["first"] == len(columns) * len(few)
    assert {(key[3], key[2]) for key in count if key[0] == "cell"} == {
        (split, task) for split in ("selection", "confirmation") for task in TASKS
    }

    run = open_run(tmp_path / "run")
    assert {task.items for task in run.plane.tasks} == {run.plane.items} == {"1/3"}
    assert set(run.scores()["split"]) == {"confirmation"}  # a score on a share leaves no run
    plane: Plane = survey(short)
    ledger, arm = Ledger(short.ledger), plane.final_last
    assert all(ledger.get(arm, task) is not None for task in THIRD.selection())
    assert all(ledger.get(arm, replace(task, items="1")) is None for task in THIRD.selection())
    assert all(ledger.get(arm, task).result["scores"].keys() == {"confirmation"} for task in THIRD.confirmation())

    findings = read_findings(tmp_path / "run")
    page = " ".join(render_page(findings).split())
    assert "Arms were scored and chosen on 1/3 of the items of the selection data (tasks.items=1/3)" in page
    assert "of what measuring every arm on 1/3 of the items of every task costs" in page
    assert "selection, 1/3 of its items" in page
    assert "on selection data" not in page.lower()
    card = render_card(findings, findings.best, None, None, "name")
    assert "| task | confirmation |\n|---|---|" in card
    assert "the arm was chosen on 1/3 of the items of the selection data" in card


def test_the_predicted_cost_shrinks_with_the_share(tiny, tmp_path):
    assumed = Workload(tasks=1, texts=1000, characters=50)
    whole, third = (work_of(suite, assumed, tmp_path) for suite in (Suite(TASKS), THIRD))
    assert (whole.texts, third.texts) == (2000, 668)
    for suite in (Suite(TASKS), THIRD):
        suite.texts(suite.selection(), tmp_path)  # as a search stores them
    whole, third = (work_of(suite, assumed, tmp_path) for suite in (Suite(TASKS), THIRD))
    assert third.assumed == ()
    assert all(third.sizes[task].texts < 0.4 * whole.sizes[task].texts for task in TASKS)
    characters = [sum(size.fresh_characters for size in work.sizes.values()) for work in (whole, third)]
    assert characters[1] < 0.4 * characters[0]
    assert third.texts < 0.4 * whole.texts


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("tasks.items=0", "tasks.items: must be 1, or a share of it such as 1/3 or 1/10, got 0"),
        ("tasks.items=third", "tasks.items: must be 1, or a share of it such as 1/3 or 1/10, got 'third'"),
        ("tasks.items=2", "tasks.items: must be 1, or a share of it such as 1/3 or 1/10, got 2"),
        ("tasks.items=[1/3]", "tasks.items: must be"),
        ("tasks.items=null", "tasks.items: must be"),
        ("tasks.item=1/3", "tasks.item: unknown"),
        ("tasks.items=1/200", "tasks.items: 1/200 of StdlibVerbClassification (split selection) leaves 2 items, "
         "which is too few: a score needs three classes"),
    ],
)  # fmt: skip
def test_what_is_no_share_is_one_line_and_nothing_is_written(models, tmp_path, monkeypatch, capfd, word, told):
    monkeypatch.chdir(tmp_path)
    words = ("checkpoints=folder", f"checkpoints.path={models}", "tasks=stdlib_quick", word)
    assert main(["search", *words]) == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert told in errors[0]
    assert not list(tmp_path.iterdir())
