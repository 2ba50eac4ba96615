"""The words of a report say what the numbers say, in a terminal of 80 columns and without colour."""

import io
import json

import pytest
from rich.console import Console
from synthetic_run import write_search_run

from tl_search.report.findings import read_findings
from tl_search.report.html import render_page
from tl_search.report.remarks import caveats
from tl_search.report.sentences import chance, duration, gain_sentences, headline, percent, signed, verdict
from tl_search.report.terminal import print_findings


def edited(folder, edit, **options):
    value = json.loads((write_search_run(folder, **options) / "result.json").read_text())
    edit(value)
    (folder / "result.json").write_text(json.dumps(value))
    return read_findings(folder)


def printed(findings, width=80):
    stream = io.StringIO()
    print_findings(findings, Console(file=stream, width=width))
    return stream.getvalue()


def flat(text):
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("gain", "interval", "words"),
    [
        (2.0, [1.0, 3.0], "It beats the last layer of the final checkpoint by 2.00 points (95 % interval +1.00 to"),
        (0.4, [-0.5, 1.3], "last layer of the final checkpoint, no difference could be shown (+0.40 points"),
        (0.4, [0.0, 1.3], "no difference could be shown"),
        (-2.0, [-3.0, -1.0], "falls behind the last layer of the final checkpoint by 2.00 points"),
    ],
)
def test_a_gain_is_claimed_only_when_its_interval_leaves_out_zero(tmp_path, gain, interval, words):
    found = edited(tmp_path, lambda v: v["gains"]["final_last"].update(gain=gain, interval=interval), pulls=4)
    assert words in gain_sentences(found.outcome)[0]
    assert words in flat(printed(found))


def better(value, role, name, low=-2.59, high=-0.31):
    """Edits a result so that a finalist beats the chosen arm by 1.4 points, with this interval."""
    value[role]["arm"] = [name, 6]
    value[role]["confirmation"]["objective"] = value["best"]["confirmation"]["objective"] + 1.4
    value["gains"][role].update(gain=-1.4, interval=[low, high])


def test_the_first_sentence_names_a_finalist_that_is_significantly_better(tmp_path):
    def edit(value):
        value["best"]["arm"] = ["step3", 0]
        better(value, "final_best", "step143000")

    found = edited(tmp_path, edit, pulls=4)
    first = headline(found)
    assert first.startswith("step143000/layer 6, the best layer of the final checkpoint, is the best embedding model")
    assert (
        "step3/layer 0 (token embeddings, which take no context into account), which the search chose, falls" in first
    )
    assert "step3/layer 0 falls behind the best layer of the final checkpoint by 1.40 points" in flat(printed(found))
    assert str(found.best) == "step143000/layer 6"


def test_the_first_sentence_names_the_chosen_arm_where_no_difference_is_shown(tmp_path):
    found = edited(tmp_path, lambda value: better(value, "final_best", "step143000", high=0.2), pulls=4)
    assert headline(found).startswith(f"{found.outcome.best.arm} is the best embedding model found")


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        (["step3", 0], "step3/layer 0 (token embeddings, which take no context into account) is the best embedding"),
        (["step0", 3], "step0/layer 3 (random weights, which have learnt nothing) is the best embedding"),
    ],
)
def test_the_first_sentence_says_when_the_winner_is_a_control(tmp_path, arm, words):
    def edit(value):
        value["best"]["arm"] = arm
        for gain in value["gains"].values():
            gain.update(gain=0.5, interval=[-1, 2])

    found = edited(tmp_path, edit, pulls=4)
    assert headline(found).startswith(words)
    assert flat(printed(found)).startswith(words)


def test_a_search_that_looked_at_the_final_checkpoint_alone_says_so_first(tmp_path):
    folder = write_search_run(tmp_path, pulls=4)
    state = json.loads((folder / "bandit_state.json").read_text())
    for step in state["trajectory"]:
        step["arm"][0] = "step143000"
    (folder / "bandit_state.json").write_text(json.dumps(state))
    first = flat(printed(read_findings(folder)))
    assert first.startswith(
        "Only the final checkpoint was looked at, since its layers took the whole budget (a higher bud"
    )
    assert "get.share opens others, and 1 opens all). " in first


def test_an_arm_is_not_compared_with_itself(tmp_path):
    found = edited(tmp_path, lambda v: v.update(best=v["final_last"]), pulls=4)
    assert gain_sentences(found.outcome)[0] == "It is the last layer of the final checkpoint itself."


@pytest.mark.parametrize(
    ("arm", "kind", "words"),
    [
        (["step3", 0], "control", "on SciDocsRR the token embeddings win"),
        (["step0", 2], "control", "on SciDocsRR the random weights win"),
        (["step0", 0], "no difference", "on SciDocsRR no difference to the untrained token embeddings could be shown"),
        (["step3", 0], "trained", "on SciDocsRR training helps"),
    ],
)
def test_verdicts_name_the_control_in_plain_words(tmp_path, arm, kind, words):
    found = edited(tmp_path, lambda v: v["tasks"][3].update(control={"arm": arm, "confirmation": 9.0}, verdict=kind))
    assert verdict(found.plane, found.outcome.tasks[3]) == words
    assert words in flat(printed(found))


def test_the_terminal_gives_the_answer_first_fits_80_columns_and_has_no_colour(tmp_path):
    found = read_findings(write_search_run(tmp_path, revisions=154, n_layers=36, pulls=20, skipped=20))
    text = printed(found)
    best = found.outcome.best
    points = f"{best.confirmation.objective:.2f} points"
    assert flat(text).startswith(f"{best.arm} is the best embedding model found: {points}")
    assert "\x1b" not in text
    path = f"Report: {tmp_path / 'report' / 'index.html'}"
    export = f"To use it: tl export {tmp_path} to=FOLDER"
    assert {path, export} <= {*text.splitlines()}  # each in one piece, however narrow the terminal
    assert max(len(line) for line in text.splitlines() if line not in (path, export)) <= 80
    assert "20 cells could not be scored" in text
    assert "and 12 more in the report" in text
    assert f"Search and confirmation spent {percent(found.outcome.cost.whole_share)} of what" in flat(text)
    assert f"{found.outcome.gains.final_last.gain:+.2f}" in text


def test_an_unfinished_run_says_so_and_shows_its_last_pulls(tmp_path):
    text = printed(read_findings(write_search_run(tmp_path, finished=False, pulls=30)))
    assert text.startswith("The search is not finished. After 30 pulls it recommends")
    assert "The last 8 pulls" in text
    assert "best embedding model found" not in text


def test_a_run_before_its_first_pull_is_reported(tmp_path):
    text = printed(read_findings(write_search_run(tmp_path, finished=False, pulls=0)))
    assert text.startswith("The search is not finished: no arm has been measured yet.")


def test_names_cannot_steer_the_terminal(tmp_path):
    def edit(value):
        value["skipped"][0]["reason"] = "\x1b]0;gone\x07[red]loud[/red]\x1b[31m \u202egnp.exe\nnext"

    text = printed(edited(tmp_path, edit, pulls=4))
    assert r"\x1b]0;gone\x07[red]loud[/red]\x1b[31m \u202egnp.exe\nnext" in flat(text)
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_caveats_say_only_what_holds(tmp_path):
    finished = read_findings(write_search_run(tmp_path / "done", pulls=4, skipped=0))
    running = read_findings(write_search_run(tmp_path / "runs", pulls=4, finished=False, posterior=False))
    assert any("never saw" in line for line in caveats(finished))
    assert not any("could not be scored" in line for line in caveats(finished))
    assert any("not confirmed" in line or "Nothing here is confirmed" in line for line in caveats(running))
    assert not any("colours" in line for line in caveats(running))


def test_a_control_that_is_best_is_called_one(tmp_path):
    found = edited(tmp_path, lambda v: v["best"].update(arm=["step0", 3]), pulls=4)
    assert any("The best arm is a control (random weights)" in line for line in caveats(found))


def test_one_split_for_choosing_and_reporting_is_said_wherever_the_score_stands(tmp_path):
    folder = write_search_run(tmp_path, pulls=4)
    plane = json.loads((folder / "plane.json").read_text())
    (folder / "plane.json").write_text(json.dumps({**plane, "same_split": True}))
    findings = read_findings(folder)
    said = flat(printed(findings)) + " ".join(caveats(findings))
    assert "the data that it was chosen on" in said
    assert "too high" in said
    assert "held-out" not in said
    assert "never saw" not in said


def test_a_task_that_the_objective_does_without_is_named(tmp_path):
    found = edited(tmp_path, lambda v: v.update(left_out=["Broken"]), pulls=4)
    assert any("leave out Broken" in line for line in caveats(found))


def test_numbers_read_well():
    seconds = (0, 0.4234, 9.2, 9.96, 59.4, 59.7, 61, 3599.6, 7300, 172_000, 180_000)
    assert [duration(value) for value in seconds] == [
        *("0 s", "0.42 s", "9.2 s", "10 s", "59 s", "1 min", "1 min 1 s", "1 h", "2 h 2 min", "47 h 47 min", "2 d 2 h"),
    ]
    shares = {0: "0 %", 0.0004: "less than 0.1 %", 0.0123: "1.2 %", 0.4951: "50 %", 1: "100 %"}
    assert {value: percent(value) for value in shares} == shares
    assert [signed(value) for value in (1.234, -0.001, 0.0, -2)] == ["+1.23", "0.00", "0.00", "-2.00"]


def test_a_column_that_looks_like_another_model_is_told(tmp_path):
    apart = {"revision": "step64", "neighbours": ["step3", "step512"], "points": 7.26, "limit": 2.04, "scores": 40}
    found = edited(tmp_path, lambda value: value.update(suspect=[apart]), pulls=4)
    told = (
        "step64 looks like another model: its scores are 7.3 points above those of both step3 and step512 "
        "(median of 40), and by the rest of the plane 2.0 would be the most."
    )
    assert told in caveats(found)
    assert told in flat(printed(found))


def test_the_tables_by_task_say_what_is_reached_by_chance(tmp_path):
    def known(value):
        value["tasks"][0] |= {"chance": {"random": 24.98, "lengths": None}}
        value["tasks"][0]["trained"] |= {"standard_error": 1.25}

    found = edited(tmp_path, known, pulls=4)
    text = flat(printed(found))
    page = render_page(found)
    for shown in ("24.98", "± 1.25", "random vectors score"):
        assert shown in text
        assert shown in page
    assert chance(found.outcome.tasks[0].chance) == ("24.98", "")
    assert chance(found.outcome.tasks[1].chance) == ("", "")
