"""Many runs in one table: comparable ones together, the best first, whatever state they are in."""

import csv
import io
import json
import os
from pathlib import Path

import pytest
from synthetic_run import write_search_run, write_training_run

from tl_search.report.rows import read_row
from tl_search.report.write import print_table
from tl_search.store.lock import RunLock

FEW = {"STSBenchmark": "STS"}


def search(folder: Path, value: float, settings: str = "", **parts) -> Path:
    """A finished search whose answer has the given score, with that interval of one point."""
    write_search_run(folder, revisions=3, n_layers=2, pulls=3, **parts)
    (folder / "DONE.json").write_text('{"exit_code": 0}')
    path = folder / "result.json"
    result = json.loads(path.read_text())
    result["best"]["confirmation"] |= {"objective": value, "interval": [value - 0.5, value + 0.5]}
    for gain in result["gains"].values():
        gain |= {"gain": 0.0, "interval": [-1.0, 1.0], "significant": False}
    path.write_text(json.dumps(result))
    (folder / "config.yaml").write_text(f"checkpoints: {{path: runs/train/a}}\nruns: {folder}\n{settings}")
    return folder


def table(capsys, *runs: Path) -> list[str]:
    capsys.readouterr()
    print_table(runs)
    return [line for line in capsys.readouterr().out.splitlines() if line.strip()]


def records(capsys, form: str, *runs: Path):
    capsys.readouterr()
    print_table(runs, form)
    out = capsys.readouterr().out
    return json.loads(out) if form == "json" else list(csv.DictReader(io.StringIO(out)))


def names(lines: list[str], of: set[str]) -> list[str]:
    return [line.split()[0] for line in lines if line.split()[0] in of]


def test_the_best_comes_first_with_the_settings_that_the_runs_differ_in(tmp_path, capsys):
    shares = {"a": (40.0, 0.1), "b": (60.0, 0.2), "c": (50.0, None)}
    runs = [
        search(tmp_path / name, value, f"budget: {{share: {'null' if share is None else share}, pulls: 3}}\nseed: 0\n")
        for name, (value, share) in shares.items()
    ]
    lines = table(capsys, *runs)
    assert names(lines, {"a", "b", "c"}) == ["b", "c", "a"]
    (best,) = [line for line in lines if line.split()[0] == "b"]
    assert "60.00   59.50 to 60.50   share=0.2" in best
    assert "share=null" in next(line for line in lines if line.split()[0] == "c")
    assert any("model pythia-410m" in line and "policy ucb" in line and "state done" in line for line in lines)
    assert "does not show which run is better" in lines[-1]


def test_means_over_different_tasks_never_stand_in_one_ranking(tmp_path, capsys):
    runs = [search(tmp_path / "many", 40.0), search(tmp_path / "few", 90.0, tasks=FEW)]
    found = records(capsys, "json", *runs)
    assert {(Path(one["run"]).name, one["rank"]) for one in found} == {("many", 1), ("few", 1)}
    assert len({one["group"] for one in found}) == 2
    lines = table(capsys, *runs)
    assert sum("scores on other tasks are not comparable" in line for line in lines) == 2
    assert not any("does not show which run is better" in line for line in lines)


@pytest.mark.parametrize("change", ["revision", "confirmation_split", "left_out"])
def test_the_same_names_on_other_data_are_other_tasks(tmp_path, capsys, change):
    runs = [search(tmp_path / "a", 40.0), search(tmp_path / "b", 90.0)]
    path = runs[1] / ("result.json" if change == "left_out" else "plane.json")
    value = json.loads(path.read_text())
    if change == "revision":
        value["tasks"][0]["revision"] = "other"
    else:
        value[change] = "test" if change == "confirmation_split" else ["SciDocsRR"]
    path.write_text(json.dumps(value))
    assert [one["rank"] for one in records(capsys, "json", *runs)] == [1, 1]
    if change == "revision":
        assert sum("not those of the runs above" in line for line in table(capsys, *runs)) == 1


def test_runs_that_are_not_finished_or_damaged_have_a_row(tmp_path, capsys):
    done = search(tmp_path / "done", 40.0)
    stopped = write_search_run(tmp_path / "stopped", revisions=3, n_layers=2, pulls=3, finished=False)
    running = write_search_run(tmp_path / "running", revisions=3, n_layers=2, pulls=0, finished=False)
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "config.yaml").write_text("seed: 0\n")
    damaged = {}
    for name, file, content in (
        ("torn", "result.json", "{"),
        ("list", "run.json", "[]"),
        ("lost", "result.json", None),
        ("empty", "DONE.json", ""),
        ("zero", "result.json", '{"best": 1}'),
        ("planeless", "plane.json", "{}"),
    ):
        damaged[name] = search(tmp_path / name, 70.0)
        (damaged[name] / file).unlink() if content is None else (damaged[name] / file).write_text(content)
    with RunLock(running):
        found = records(capsys, "csv", done, stopped, running, begun, *damaged.values())
    assert {Path(one["run"]).name: one["state"] for one in found} == {
        **{"done": "done", "stopped": "stopped", "running": "running", "begun": "stopped"},
        **dict.fromkeys(damaged, "damaged"),
    }
    assert [one["rank"] for one in found if one["score"]] == ["1"]
    for one in found:
        assert bool(one["error"]) == (one["state"] == "damaged")
    lines = table(capsys, done, damaged["torn"], stopped)
    assert names(lines, {"done", "torn", "stopped"})[0] == "done"
    assert any(" so far " in line for line in lines if line.startswith((" stopped", "stopped")))
    assert sum(line.startswith("Damaged: ") and "result.json" in line for line in lines) == 1


def test_settings_of_another_class_are_not_listed_one_by_one(tmp_path, capsys):
    policies = ("{_target_: x.UCB, beta: 2}", "{_target_: x.TS, draws: 4, width: 3}")
    losses = ("{_target_: y.Mean}", "{_target_: y.CategoryMean, by: type}")
    runs = [
        search(
            tmp_path / name,
            40.0,
            f"bandit: {policy}\nobjective: {loss}\nsampling: {{_target_: z.Sparse}}\nschedule: {{_target_: {when}}}\n",
        )
        for name, policy, loss, when in zip("ab", policies, losses, ("s.LogSchedule", "s.Every"), strict=True)
    ]
    found = records(capsys, "json", *runs)
    assert [one["varied"] for one in found] == [
        {"objective": "mean", "schedule": "log"},
        {"objective": "categorymean", "schedule": "every"},
    ]
    assert [one["sampling"] for one in found] == ["sparse", "sparse"]


def test_a_table_that_no_terminal_limits_is_not_cut(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    long = "a-run-with-a-name-that-takes-more-than-half-of-a-terminal-of-80-columns"
    lines = table(capsys, search(tmp_path / long, 40.0, "seed: 1\n"), search(tmp_path / "b", 41.0, "seed: 2\n"))
    (line,) = [line for line in lines if line.split()[0] == long]
    assert "39.50 to 40.50" in line
    assert len(line) > 80


def test_trainings_are_compared_by_eval_loss_on_the_same_text(tmp_path, capsys):
    record = {"command": "train", "name": "a", "digest": "0" * 8, "data": {"corpus": "1", "tokenizer": "2"}}
    for name, losses, corpus in (("worse", (5.0, 4.0), "1"), ("better", (5.0, 3.0), "1"), ("other", (5.0, 1.0), "2")):
        write_training_run(tmp_path / name, losses)
        (tmp_path / name / "run.json").write_text(json.dumps(record | {"data": {"corpus": corpus, "tokenizer": "2"}}))
    found = records(capsys, "json", tmp_path / "worse", tmp_path / "better")
    assert [(Path(one["run"]).name, one["rank"], one["eval_loss"]) for one in found] == [
        ("better", 1, 3.0),
        ("worse", 2, 4.0),
    ]
    everything = [tmp_path / "worse", tmp_path / "other", tmp_path / "better", search(tmp_path / "c", 40.0)]
    assert len({one["group"] for one in records(capsys, "json", *everything)}) == 3
    assert names(table(capsys, *everything), {"worse", "better"}) == ["better", "worse"]


def test_tags_of_the_record_are_shown(tmp_path, capsys):
    run = search(tmp_path / "a", 40.0)
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"tags": ["baseline", "wide"]}))
    assert "baseline wide" in "\n".join(table(capsys, run))
    assert records(capsys, "json", run)[0]["tags"] == ["baseline", "wide"]


def test_reading_a_row_changes_nothing(tmp_path):
    run = search(tmp_path / "a", 40.0)
    with RunLock(run):
        before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
        os.unlink(run / "DONE.json")
        assert read_row(run).state == "running"
        assert set(run.rglob("*")) == before.keys() - {run / "DONE.json"}
