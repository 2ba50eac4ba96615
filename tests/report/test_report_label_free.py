"""Label-free metrics in a report: the extremes of each, and names that cannot harm the page or the terminal."""

import json
import re

import pytest
from synthetic_run import write_search_run, write_training_run

from tl_search.plane.arm_name import ArmName
from tl_search.report.findings import read_findings
from tl_search.report.html import render_page
from tl_search.report.label_free import Extremes, read_measured
from tl_search.report.write import write_report


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


SETTINGS = {"options": {"measures": {"rankme": {"eps": 1e-7}}}, "extraction": {"pooling": "mean"}, "rules": 2}


def measure(folder, values, corpus="c1", weights="{:064x}", **settings):
    """Files of {(step, layer): metrics}; the weights of step 100 · n are n, as those of a synthetic training run."""
    write(folder / "cache/metrics/corpus.json", {"hash": corpus})
    for (step, layer), metrics in values.items():
        about = {"revision": f"step{step}", "step": step, "layer": layer, "corpus": corpus, "metrics": metrics}
        about |= {"weights": weights.format(step // 100), **SETTINGS, **settings}
        write(folder / f"cache/metrics/model/step{step}/layer_{layer:03d}.json", about)
    return folder


VALUES = {
    (0, 0): {"rankme": 5.0, "curvature": None},
    (0, 1): {"rankme": 7.5, "curvature": 1.0},
    (10, 0): {"rankme": 2.0, "curvature": 0.5},
    (10, 1): {"rankme": 7.5, "curvature": None},
}


def test_extremes_are_of_all_arms_and_the_final_value_of_the_latest_last_layer(tmp_path):
    measured = read_measured(measure(tmp_path, VALUES))
    assert measured.rows == (
        Extremes("curvature", (0.5, ArmName("step10", 0)), (1.0, ArmName("step0", 1)), None, 2),
        Extremes("rankme", (2.0, ArmName("step10", 0)), (7.5, ArmName("step0", 1)), 7.5, 4),
    )
    assert read_measured(tmp_path / "elsewhere").rows == ()


def test_steps_are_ordered_as_numbers(tmp_path):
    values = {(step, 0): {"rankme": float(step)} for step in (9, 10, 100)}
    assert read_measured(measure(tmp_path, values)).rows[0].final == 100.0


def test_files_of_another_corpus_do_not_count(tmp_path):
    measure(tmp_path, VALUES)
    measure(tmp_path, {(10, 1): {"rankme": 3.0}}, corpus="c2")
    measured = read_measured(tmp_path)
    (row,) = measured.rows
    assert (row.arms, row.final, measured.left_out) == (1, 3.0, 3)


@pytest.mark.parametrize(
    "change",
    [{"options": {"measures": {"rankme": {"eps": 0.01}}}}, {"extraction": {"pooling": "last"}}, {"rules": 3}],
    ids=lambda change: next(iter(change)),
)
def test_only_files_of_the_newest_column_s_settings_count(tmp_path, change):
    measure(tmp_path, VALUES)
    measure(tmp_path, {(20, 0): {"rankme": 4.0}, (20, 1): {"rankme": 5.0}}, **change)
    measured = read_measured(tmp_path)
    assert measured.rows == (Extremes("rankme", (4.0, ArmName("step20", 0)), (5.0, ArmName("step20", 1)), 5.0, 2),)
    assert measured.left_out == 4
    measure(tmp_path, {(20, 0): {"rankme": 6.0}})  # back again, and cut short after one layer
    assert read_measured(tmp_path).rows[1].arms == 5


def test_of_a_training_run_only_weights_that_it_still_has_count(tmp_path, capsys):
    run = write_training_run(tmp_path, losses=(None, 5.1, 3.2, 3.4))  # steps 0, 100, 200, 300
    measure(run, {(step, 0): {"rankme": float(step)} for step in (100, 150, 300)})
    measure(run, {(0, 0): {"rankme": -1.0}, (200, 0): {"rankme": -1.0}}, weights="another")
    measure(run, {(400, 0): {"rankme": 400.0}}, rules=1)  # of steps that the run was made shorter by
    measured = read_measured(run)
    # step 150 was looked at between two revisions
    assert measured.rows == (
        Extremes("rankme", (100.0, ArmName("step100", 0)), (300.0, ArmName("step300", 0)), 300.0, 3),
    )
    assert measured.left_out == 3
    write_report(run)
    told = " ".join(capsys.readouterr().out.split())
    assert "Left out: 3 files in cache/metrics, measured with other weights, texts or settings than the newest." in told
    assert "Label-free metrics of 3 arms" in told


def test_nothing_is_said_of_files_where_all_count(tmp_path, capsys):
    write_report(measure(write_training_run(tmp_path), VALUES))
    assert "Left out" not in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["{", "[]", '{"corpus": "c1"}'])
def test_a_damaged_file_is_named(tmp_path, damage):
    measure(tmp_path, VALUES)
    (tmp_path / "cache/metrics/model/step10/layer_001.json").write_text(damage)
    with pytest.raises(ValueError, match=r"step10/layer_001\.json"):
        read_measured(tmp_path)


def test_a_search_and_a_training_run_show_the_same_table(tmp_path, capsys):
    runs = write_search_run(tmp_path / "search", pulls=2), write_training_run(tmp_path / "train")
    write_report(runs[1])
    assert "Label-free" not in capsys.readouterr().out
    for folder in runs:
        write_report(measure(folder, VALUES))
        told = capsys.readouterr().out
        assert "Label-free metrics of 4 arms" in told
        assert "rankme" in told
        assert "step10/layer 0" in told
    page = (tmp_path / "search/report/index.html").read_text()
    assert "rankme" in page
    assert "7.5" in page
    assert re.findall(r'<section id="(\w+)"', page) == re.findall(r'<a href="#(\w+)"', page.partition("</nav>")[0])


def test_a_search_that_only_measures_is_reported_before_its_first_column_and_says_what_failed(tmp_path, capsys):
    write(
        tmp_path / "plane.json",
        {"model": "m[red]", "revisions": [{"name": f"step{n}", "step": n} for n in (0, 1)], "n_layers": 1, "tasks": []},
    )
    write_report(tmp_path)
    assert capsys.readouterr().out == "m[red]: 2 checkpoints × 2 layers, label-free metrics only; no task was scored.\n"
    write(tmp_path / "DONE.json", {"exit_code": 3, "unmeasured": {"step10": "NaN\x1b[2J"}})
    write_report(measure(tmp_path, VALUES))
    told = capsys.readouterr().out
    assert r"step10 could not be measured: NaN\x1b[2J" in told
    assert "Label-free metrics of 4 arms" in told
    assert not (tmp_path / "report").exists()


def test_a_readout_is_shown_of_the_chosen_arm_alone_and_its_words_are_text(tmp_path, capsys):
    folder, hostile = write_search_run(tmp_path, pulls=2), "<script>alert(1)</script>\x1b[2J"
    best = json.loads((folder / "result.json").read_text())["best"]["arm"]
    about = {"model": "m", "arm": best, "vectors": {}, "options": {}, "rules": {}, "raw": {}, "under": {}}
    kept = {**about, "texts": [hostile], "tasks": {hostile: 1}, "left_out": [hostile], "reason": hostile}
    write(folder / "cache/metrics/readout.json", kept)
    assert hostile in read_measured(folder).readout.reason
    write_report(folder)
    assert r"not measured: <script>alert(1)</script>\x1b[2J." in " ".join(capsys.readouterr().out.split())
    write(
        folder / "cache/metrics/readout.json", {**kept, "reason": "", "raw": {hostile: 1.0}, "under": {hostile: None}}
    )
    page = render_page(read_findings(folder), read_measured(folder))
    assert "there is none" in page
    assert "<script" not in page
    write(folder / "cache/metrics/readout.json", {**kept, "arm": [best[0], best[1], "whitened"]})
    assert read_measured(folder).readout is None


def test_names_are_text_on_the_page(tmp_path):
    hostile = "<script>alert(1)</script>{{ 7 * 7 }}"
    folder = measure(write_search_run(tmp_path, pulls=2), {(0, 0): {hostile: 1.0}})
    result = json.loads((folder / "result.json").read_text())
    write(folder / "result.json", {**result, "unmeasured": {hostile: hostile}})
    measure(folder, {(0, 1): {"rankme": 1.0}}, rules=1)
    page = render_page(read_findings(folder), read_measured(folder))
    assert "<script" not in page
    assert "{{ 7 * 7 }}" in page
    assert "Left out: 1 file in cache/metrics" in page
