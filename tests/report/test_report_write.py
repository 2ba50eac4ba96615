"""`write_report`: what it leaves in a run's folder, and what it prints of a training run."""

import json
import subprocess
import sys

import pytest
from synthetic_run import write_search_run, write_training_run

from tl_search.report.listing import print_listing
from tl_search.report.training_run import read_revisions
from tl_search.report.write import print_table, write_report


def scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return events


@pytest.mark.slow
def test_a_search_gets_its_page_pictures_and_events_once_however_often_it_is_reported(tmp_path, capsys):
    write_search_run(tmp_path, revisions=4, n_layers=2, pulls=5)
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard" / "events.out.tfevents.1.other").write_bytes(b"")
    before = {path.name for path in tmp_path.iterdir()}
    for _ in range(2):
        write_report(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == before | {"report"}
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"index.html", "plane.png", "regret.png"}
    names = [path.name for path in (tmp_path / "tensorboard").iterdir()]
    assert len(names) == 2
    assert "events.out.tfevents.1.other" in names
    events = scalars(tmp_path)
    assert set(events.Tags()["scalars"]) == {"search/recommended_score", "search/regret", "search/spent_share"}
    assert [event.step for event in events.Scalars("search/spent_share")] == [0, 1, 2, 3, 4]
    assert min(event.value for event in events.Scalars("search/regret")) >= 0
    assert events.Tags()["images"] == ["search/plane"]
    assert str(tmp_path / "report" / "index.html") in capsys.readouterr().out


def test_a_damaged_run_leaves_the_report_that_was_there(tmp_path):
    write_search_run(tmp_path, pulls=2)
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "index.html").write_text("earlier")
    (tmp_path / "result.json").write_text("{")
    with pytest.raises(ValueError, match=r"result\.json"):
        write_report(tmp_path)
    assert (tmp_path / "report" / "index.html").read_text() == "earlier"


def test_a_training_run_is_a_table_that_marks_every_best_so_far(tmp_path, capsys):
    write_report(write_training_run(tmp_path))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "5 revisions, the last at step 400; best so far: step400 with eval loss 2.9000."
    marked = {line.split()[0]: line.rstrip().endswith("best") for line in lines if line.strip().startswith("step")}
    assert marked == {"step0": False, "step100": True, "step200": True, "step300": False, "step400": True}
    assert "409,600" in next(line for line in lines if line.strip().startswith("step100"))


def test_the_best_may_lie_between_two_revisions_and_be_of_another_measurement(tmp_path, capsys):
    index = write_training_run(tmp_path) / "checkpoints" / "index.jsonl"
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    for line, best in zip(lines, (None, 5.1, 3.0, 3.0, 2.9), strict=True):  # 3.0 was measured at step 150
        line["best"] = best
    index.write_text("".join(json.dumps(line) + "\n" for line in lines))
    kept = {"step": 150, "monitor": "plane/best", "value": 41.25, "name": "step150", "revision": "best-step150"}
    (tmp_path / "checkpoints" / "best.json").write_text(json.dumps(kept))
    (tmp_path / "checkpoints" / "last.json").write_text(json.dumps({"name": "step400", "step": 400}))
    write_report(tmp_path)
    said = capsys.readouterr().out
    assert "step 400; best by plane/best: 41.2500 at step 150 (revisions/best-step150)." in " ".join(said.split())
    rows = {line.split()[0]: line.split() for line in said.splitlines() if line.strip().startswith("step")}
    assert rows["step200"][-2:] == ["3.2000", "3.0000"]
    assert {name for name, row in rows.items() if row[-1] == "best"} == {"step100", "step400"}
    assert [row[4] for row in rows.values()] == ["0", "0", "1", "1", "2"]  # completed epochs


@pytest.mark.parametrize(
    ("monitor", "values", "best", "marked"),
    [
        ("plane/best", (10.0, 30.0, 20.0, None, 40.0), 40.0, {"step0", "step100", "step400"}),
        ("metrics/lidar", (3.0, 4.0, 2.5, None, 2.75), 2.25, {"step0", "step200"}),  # best between two revisions
    ],
)
def test_another_measurement_that_decides_has_its_column_and_its_bests(tmp_path, capsys, monitor, values, best, marked):
    index = write_training_run(tmp_path) / "checkpoints" / "index.jsonl"
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    for line, value in zip(lines, values, strict=True):
        line["measured"] = {} if value is None else {monitor: value}
    index.write_text("".join(json.dumps(line) + "\n" for line in lines))
    kept = {"step": 350, "monitor": monitor, "value": best, "name": "step350", "revision": "best-step350"}
    (tmp_path / "checkpoints" / "best.json").write_text(json.dumps(kept))
    write_report(tmp_path)
    said = capsys.readouterr().out
    assert monitor.split("/")[1] in said
    rows = {line.split()[0]: line.split() for line in said.splitlines() if line.strip().startswith("step")}
    shown = {f"{value:.4f}" for value in values if value is not None}
    assert {name for name, row in rows.items() if row[-1] == "best" and row[-2] in shown} == marked


def test_a_damaged_pointer_is_named(tmp_path):
    path = write_training_run(tmp_path) / "checkpoints" / "best.json"
    path.write_text(json.dumps({"monitor": "eval/loss", "value": None}))
    with pytest.raises(ValueError, match=r"best\.json: damaged"):
        write_report(tmp_path)


def test_a_line_that_the_trainer_is_still_writing_is_left_alone(tmp_path):
    path = write_training_run(tmp_path) / "checkpoints" / "index.jsonl"
    whole = path.read_bytes() + b'{"name": "step500", "st'
    path.write_bytes(whole)
    assert [revision.step for revision in read_revisions(tmp_path)] == [0, 100, 200, 300, 400]
    assert path.read_bytes() == whole


def test_a_damaged_line_is_named_by_its_number(tmp_path):
    path = write_training_run(tmp_path) / "checkpoints" / "index.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "{", *lines[1:], ""]))
    with pytest.raises(ValueError, match=r"index\.jsonl: line 2 is damaged"):
        write_report(tmp_path)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not a run: it has neither"):
        write_report(tmp_path)


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    write_training_run(tmp_path)
    script = (
        "import sys; from pathlib import Path; from tl_search.report.write import write_report; "
        "write_report(Path(sys.argv[1]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert (process.stderr.read(), process.wait(60)) == (b"", 0)


@pytest.mark.parametrize(("columns", "whole"), [(None, True), ("60", False)])
def test_outside_a_terminal_a_table_is_as_wide_as_its_words(tmp_path, capsys, monkeypatch, columns, whole):
    index, stage = write_training_run(tmp_path) / "checkpoints" / "index.jsonl", "a-long-name-of-a-stage-" * 5
    lines = [json.loads(line) | {"stage": stage} for line in index.read_text().splitlines()]
    index.write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:  # a width that somebody asks for
        monkeypatch.setenv("COLUMNS", columns)
    write_report(tmp_path)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("step")]
    assert [stage in row for row in rows] == [whole] * 5


def test_a_table_begins_with_its_headers_and_nothing_ends_with_an_empty_line(tmp_path, capsys):
    run = write_training_run(tmp_path / "runs" / "train" / "a")
    for show in (lambda: print_listing(tmp_path), lambda: print_table([run]), lambda: write_report(run)):
        show()
        lines = capsys.readouterr().out.splitlines()
        head = next(place for place, line in enumerate(lines) if line.startswith(("run ", "revision ")))
        assert head < 2
        assert all(line.strip() for line in lines)
