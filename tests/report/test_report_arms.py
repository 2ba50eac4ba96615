"""A comparison of arms: which quantities it has, what their differences show, and what is said of what is missing."""

import json
import re

import pytest
from synthetic_arms import LATE, STAGE, falling, write_base, write_branch
from test_report_page import HOSTILE, Page

from tl_search.report.arm_rows import compare_arms
from tl_search.report.arms import read_arms
from tl_search.report.arms_page import render_arms
from tl_search.report.arms_table import write_comparison
from tl_search.report.arms_verdict import headline, in_words, next_steps, sentences
from tl_search.report.branch_curves import read_branch
from tl_search.report.event_files import read_curves
from tl_search.runs.record import RunRecord

ACCURACIES = ("eval/clean/peptide_accuracy", "eval/noisy/peptide_accuracy")
SCATTER = (0.0, 0.02, -0.01)


def arms(folder, gap, **changes):
    """Three runs each of `plain` and of `late`, whose losses are higher by `gap` after its second stage began."""
    runs = [write_branch(folder, "plain", seed, falling(2.0 + more)) for seed, more in enumerate(SCATTER)]
    return runs + [
        write_branch(folder, "late", seed, falling(2.0 + more, gap), stages=LATE, **changes.get(f"s{seed}", {}))
        for seed, more in enumerate(SCATTER)
    ]


def row(found, key):
    return next(row for row in found.rows if row.key == key)


def test_identical_arms_show_no_difference_and_no_winner(tmp_path):
    found = compare_arms(read_arms(arms(tmp_path, 0.0)), [160], 2.5)
    assert [in_words(each, 1) for each in found.rows] == ["no difference shown"] * len(found.rows)
    assert (found.winner(), next_steps(found)) == (None, [])
    assert headline(found) == "No winner is shown by the eval loss at step 200."
    assert sentences(found)[0].startswith("eval loss at step 200: no difference shown between late and plain (+0.0000;")


def test_a_planted_difference_is_found_in_every_quantity(tmp_path):
    write_base(tmp_path, 300)
    found = compare_arms(read_arms(arms(tmp_path, -0.3)), [120, 160], 2.5)
    words = {each.key: in_words(each, 1) for each in found.rows}
    assert words == {
        "final": "lower",
        "best": "lower",
        "step 120": "no difference shown",  # before the stage
        "step 160": "lower",
        "jump 130": "lower",
        "threshold steps": "sooner",
        "threshold tokens": "sooner",
    }
    assert row(found, "final").gap(1).mean == pytest.approx(-0.3)
    jump = row(found, "jump 130")
    assert jump.title == "change of eval loss from step 120 to 140, across the start of late (late)"
    assert jump.values[0][0] == pytest.approx(-0.2)  # the arm without the stage, over the same steps
    assert jump.gap(1).mean == pytest.approx(-0.3)
    steps, tokens = row(found, "threshold steps"), row(found, "threshold tokens")
    assert [steps.values[0][0], steps.values[1][0]] == [60, 40]
    assert tokens.values[1][0] == 512 * 40
    assert found.winner().name == "late"
    assert headline(found) == "late is better than plain by the eval loss at step 200."


def test_the_first_arm_wins_where_all_others_are_shown_to_be_worse(tmp_path):
    assert compare_arms(read_arms(arms(tmp_path, 0.3))).winner().name == "plain"


def test_a_step_that_was_not_measured_is_refused_with_those_that_were(tmp_path):
    read = read_arms(arms(tmp_path, 0.0))
    with pytest.raises(
        ValueError, match=r"^at: must be steps after the branch .* got 150; nearest: 120, 140, 160, 180"
    ):
        compare_arms(read, [150])
    with pytest.raises(ValueError, match=r"^at: .* got 100; "):
        compare_arms(read, [100])


def test_diverged_runs_are_counted_and_named_and_their_arm_does_not_win(tmp_path):
    runs = arms(tmp_path, -0.3)
    cut = {step: loss for step, loss in falling(2.0, -0.3).items() if step <= 160}
    runs += [write_branch(tmp_path, "plain", 3, falling(2.0))]
    runs += [write_branch(tmp_path, "late", 3, cut, stages=LATE, diverged=171)]
    found = compare_arms(read_arms(runs), [160], 2.5)
    assert in_words(found.final, 1) == "lower"
    assert found.winner() is None
    assert (len(found.final.values[1]), found.final.gap(1).seeds) == (3, 3)
    assert len(row(found, "step 160").values[1]) == 4  # it was measured there before it diverged
    (told,) = [sentence for sentence in sentences(found) if "diverged" in sentence]
    assert told.startswith("late: 1 of 4 runs diverged: seed 3 at step 171 (late-s3). ")


def test_an_arm_that_has_diverged_with_every_seed_is_told_and_compared_with_nothing(tmp_path):
    ends = {f"s{seed}": {"diverged": 110} for seed in range(3)}
    found = compare_arms(read_arms(arms(tmp_path, 0.0, **ends)))
    assert found.final.gap(1) is None
    assert "late: 3 of 3 runs diverged: seed 0 at step 110 (late-s0);" in " ".join(sentences(found))
    assert "no seed has it in both" in sentences(found)[0]
    assert found.winner() is None


def test_runs_that_never_reach_the_threshold_are_counted(tmp_path):
    runs = arms(tmp_path, 0.0)
    runs += [write_branch(tmp_path, "plain", 3, falling(2.0)), write_branch(tmp_path, "late", 3, falling(2.9))]
    found = compare_arms(read_arms(runs, ["plain"] * 3 + ["late"] * 3 + ["plain", "late"]), [], 2.5)
    steps = row(found, "threshold steps")
    assert (len(steps.values[1]), steps.gap(1).seeds) == (3, 3)
    assert any("1 of 4 runs of late never came there (seed 3)" in sentence for sentence in sentences(found))


def test_more_is_better_for_an_accuracy_and_a_metric_without_a_direction_asks_for_one(tmp_path):
    named = {name: {step: step / 400 for step in falling(2.0)} for name in (*ACCURACIES, "x/y")}
    more = {name: {step: value + 0.1 for step, value in values.items()} for name, values in named.items()}
    runs = [write_branch(tmp_path, "plain", seed, falling(2.0), measured=named) for seed in range(3)]
    runs += [write_branch(tmp_path, "late", seed, falling(2.0), stages=LATE, measured=more) for seed in range(3)]
    found = compare_arms(read_arms(runs, metric="eval/clean/peptide_accuracy"), threshold=0.45)
    assert (found.winner().name, row(found, "best").title) == ("late", "highest eval/clean/peptide_accuracy")
    assert "≥ 0.45" in row(found, "threshold steps").title
    with pytest.raises(ValueError, match=r"^mode: must be given for metric=x/y: min where less is better"):
        read_arms(runs, metric="x/y")
    assert compare_arms(read_arms(runs, metric="x/y", mode="min")).winner().name == "plain"
    with pytest.raises(ValueError, match=r"^metric: no run has measured eval/los; did you mean eval/loss\?"):
        read_arms(runs, metric="eval/los")
    with pytest.raises(ValueError, match=r"did you mean eval/clean/peptide_accuracy or eval/noisy/peptide_accuracy\?"):
        read_arms(runs, metric="peptide_accuracy")


def test_stages_are_read_where_the_curve_of_a_run_rises(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    runs = arms(tmp_path, 0.0)
    for run in runs[3:]:
        with SummaryWriter(str(run / "tensorboard")) as writer:
            for step, stage in {100: 0, 120: 0, 150: 1, 160: 1}.items():  # later than it was planned
                writer.add_scalar("curriculum/stage", stage, step)
    assert [dict(arm.stages) for arm in read_arms(runs).arms] == [{}, {}]
    again = json.loads((runs[3] / "run.json").read_text())
    again["plan"]["curriculum"]["stages"]["late"]["start"] = 150
    (runs[3] / "run.json").write_text(json.dumps(again))
    assert read_branch(runs[3], RunRecord.read(runs[3])).stages == {150: "late"}


def test_the_branch_is_a_start_where_other_weights_hold_than_in_the_parent(tmp_path):
    early = {"late": {**LATE["late"], "start": 0}}
    run = write_branch(tmp_path, "early", 0, falling(2.0), stages=early)
    assert read_branch(run, RunRecord.read(run)).stages == {100: "late"}


def test_a_stage_that_begins_at_the_branch_itself_is_a_start_there_too(tmp_path):
    begins = {"whole": STAGE, "same": {**STAGE, "name": "same", "start": 100}}
    run = write_branch(tmp_path, "begins", 0, falling(2.0), stages=begins)
    assert read_branch(run, RunRecord.read(run)).stages == {100: "same"}


def test_arms_of_one_name_are_told_apart_by_the_setting_in_which_they_differ(tmp_path):
    later = {**LATE, "late": {**LATE["late"], "start": 150}}
    runs = [write_branch(tmp_path / name, "late", 0, falling(2.0), stages=stages) for name, stages in
            (("a", LATE), ("b", later))]  # fmt: skip
    found = read_arms(runs)
    assert [arm.name for arm in found.arms] == ["late start=130", "late start=150"]
    other = {**later, "late": {**later["late"], "losses": {"next_token": 3.0}}}
    third = write_branch(tmp_path / "c", "late", 0, falling(2.0), stages=other)
    assert all(re.fullmatch(r"late-[0-9a-f]{4}", arm.name) for arm in read_arms([*runs, third]).arms)


def test_stages_that_no_measurement_lies_between_share_a_row(tmp_path):
    def stages(*starts):
        return {f"s{at}": {**STAGE, "name": f"s{at}", "start": at} for at in (0, *starts)}

    runs = [write_branch(tmp_path, "few", 0, falling(2.0), stages=stages(130))]
    runs += [write_branch(tmp_path, "many", 0, falling(2.0), stages=stages(124, 126, 128, 150, 155))]
    jumps = [each for each in compare_arms(read_arms(runs)).rows if each.key.startswith("jump")]
    assert [each.key for each in jumps] == ["jump 124", "jump 150"]
    assert jumps[0].title.endswith("from step 120 to 140, across the starts of 4 stages (3 of many, 1 of few)")
    assert jumps[1].title.endswith("from step 140 to 160, across the starts of s150 (many), s155 (many)")


def test_one_run_may_be_the_run_of_two_arms(tmp_path):
    runs = [write_branch(tmp_path, "plain", seed, falling(2.0)) for seed in range(2)]
    found = compare_arms(read_arms([*runs, *runs], ["current", "current", "same", "same"]))
    assert [arm.name for arm in found.arms.arms] == ["current", "same"]
    assert found.final.gap(1).mean == 0


def test_files_hold_what_was_found_and_curves_are_aligned_at_the_branch(tmp_path, capsys):
    found = compare_arms(read_arms(arms(tmp_path, -0.3)), [160], 2.5)
    folder = write_comparison(found, None, "tl compare runs=[A,B]")
    assert folder.parent == tmp_path / "runs" / "compare"
    out = capsys.readouterr().out
    assert "eval loss at step 200: lower with late than with plain, by 0.3000 (" in out
    plain = json.loads((folder / "comparison.json").read_text())
    assert plain["winner"] == "late"
    assert [one["key"] for one in plain["rows"]][:2] == ["final", "best"]
    assert plain["arms"][1]["against_first"][0]["mean"] == pytest.approx(-0.3)
    curves = read_curves(folder / "tensorboard" / "late" / "seed1")
    assert sorted(curves["eval/loss"]) == [0, 20, 40, 60, 80, 100]
    assert curves["stage"] == {0: 0, 20: 0, 30: 1, 40: 1, 60: 1, 80: 1, 100: 1}
    other = folder / "tensorboard" / "notes.txt"
    other.write_text("mine")
    write_comparison(found)
    assert other.read_text() == "mine"
    assert len([*(folder / "tensorboard").rglob("*.comparison")]) == 6


def test_the_page_is_whole_needs_nothing_and_keeps_hostile_names_as_text(tmp_path):
    runs = [write_branch(tmp_path, name, 0, falling(2.0), stages=LATE) for name in ("plain", "late")]
    source = render_arms(compare_arms(read_arms(runs, ["plain", HOSTILE])), tmp_path, f"tl compare {HOSTILE}")
    parsed = Page(source)
    sections = [value for tag, name, value in parsed.attributes if tag == "section" and name == "id"]
    assert sections == ["verdict", "curves", "table", "stages", "commands", "runs", "caveats"]
    assert parsed.open == []
    assert "next_token 2.0" in parsed.text.replace("\u00a0", " ")  # what the stage sets
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(parsed.tags)
    assert not [name for _, name, _ in parsed.attributes if name == "style" or name.startswith("on")]
    assert "{{ 7 * 7 }}" in parsed.text.replace("\u00a0", " ")
    assert "http" not in re.sub(r'"data:[^"]*"', "", source).replace("http-equiv", "")
