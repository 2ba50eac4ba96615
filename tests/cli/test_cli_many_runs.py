"""Many runs from the command line: their names, `tl list`, `tl report` with several, and what a sweep tells."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_training import TINY

from tl_search.cli import commands, launch
from tl_search.cli.config.compose import parse
from tl_search.cli.config.preflight import preflight
from tl_search.cli.main import main
from tl_search.runs.record import RunRecord

ROOT = Path(__file__).resolve().parents[2]


def folders(*words):
    command, *rest = words
    return [job.folder for job in preflight(parse(command, rest, commands.find(command).bare), commands.find(command))]


def named(*words):
    """The names of the runs, without their digests."""
    return [folder.name.rpartition("-")[0] for folder in folders(*words)]


@pytest.fixture
def told(capsys):
    """Run a line that should succeed; what it prints."""

    def run(*words):
        capsys.readouterr()
        code = main([*words])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return run


@pytest.fixture
def refused_line(folder, capsys):
    """Run a line that should be refused; its one line. Nothing may be written."""

    def run(*words):
        before = sorted(folder.rglob("*"))
        capsys.readouterr()
        assert main([*words]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert sorted(folder.rglob("*")) == before
        return err.rstrip("\n")

    return run


@pytest.mark.slow
def test_a_name_shows_what_the_command_line_changed(folder):
    assert named("train", "-m", "optimizer.lr=1e-3,0.1", "trainer.max_steps=40") == [
        "tiny-log-s0-lr0.001-max_steps40",
        "tiny-log-s0-lr0.1-max_steps40",
    ]
    changes = ("callbacks.finite_loss=null", "curriculum=two_stage", "trainer.accelerator=cpu", "logger=none")
    assert named("train", *changes) == ["tiny-log-s0-no-finite_loss-two_stage"]
    (folder / "models").mkdir()
    words = ("search", "checkpoints=folder", "checkpoints.path=./models", "name=mine", "-m", "seed=0,1")
    assert named(*words) == ["mine-models-s0", "mine-models-s1"]
    assert named("run", "budget.share=null", "confirm.seed=3") == ["tiny-log-ucb-sparse-s0-no-share-confirm.seed3"]


@pytest.mark.slow
def test_a_name_is_short_and_plain_and_shows_what_a_sweep_varies_first(folder):
    fixed = ("model.width=128", "model.heads=4", "model.context=256", "optimizer.warmup_steps=5", "data.batch_size=4")
    names = named("train", *fixed, "-m", "trainer.max_steps=1,2")
    assert all(len(name) < 60 and f"-max_steps{number}-" in f"{name}-" for number, name in enumerate(names, 1))
    assert all(name.endswith("more") for name in names)
    (text := folder / "some where/Ünï code, and=more").parent.mkdir()
    text.write_text("a text")
    (name,) = named("train", "data=files", f"data.corpus.path='{text}'")
    assert name.isascii()
    assert not set(name) & set(" ,=/'")
    assert name == "tiny-log-s0-files-n-code-and-more"


@pytest.mark.slow
def test_a_run_is_found_again_under_whatever_name_it_has(folder):
    (new,) = folders("train", "model.width=96", "seed=3")
    old = new.with_name(f"tiny-log-s3-{new.name.rpartition('-')[2]}")  # as it was named before changes were
    old.mkdir(parents=True)
    assert folders("train", "model.width=96", "seed=3") == [old]
    old.rename(new)
    RunRecord("train", "tiny-log-s3-width96", new.name.rpartition("-")[2], varied="width96").write(new)
    assert new.name.startswith("tiny-log-s3-width96-")
    assert folders("train", "schedule=log", "seed=3", "model.width=96", "optimizer.lr=0.001") == [new]
    assert folders("train", "model.width=96", "seed=3", "name=tiny") != [new]  # a name of one's own is another run


@pytest.mark.slow
def test_a_record_says_what_its_folder_is_called(run, folder):
    record = RunRecord.read(run)
    assert run.name == f"{record.name}-{record.digest}"
    assert record.name == f"tiny-log-s0-{record.varied}"
    assert main(["train", *reversed(TINY)]) == 0
    assert [path.name for path in run.parent.iterdir() if path.is_dir()] == [run.name]


def test_a_pattern_finds_hydras_files_too_and_they_are_left_out(old_searches, told):
    for name in ("multirun.yaml", ".submitit/1"):
        (old_searches / name).parent.mkdir(exist_ok=True)
        (old_searches / name).touch()
    before = sorted(old_searches.rglob("*"))
    words = ["report", *sorted(map(str, old_searches.iterdir()))]
    lines = told(*words).splitlines()
    assert [line.split()[0] for line in lines if " done " in line or "step6" in line] == ["copy", "found-c55e6c1c"]
    found = list(csv.DictReader(io.StringIO(told(*words, "format=csv"))))
    assert [(one["rank"], one["score"]) for one in found] == [("1", "45.4396"), ("2", "45.4396")]
    assert [one["run"] for one in json.loads(told(*words, "format=json"))] == [one["run"] for one in found]
    assert sorted(old_searches.rglob("*")) == before


def test_one_run_has_a_row_only_when_a_format_is_given(old_searches, told):
    run = str(old_searches / "found-c55e6c1c")
    assert [one["state"] for one in json.loads(told("report", run, "format=json"))] == ["done"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tl_search.report.write.write_report", lambda folder: print(f"all of {folder}"))
        assert told("report", run) == f"all of {run}\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("report", "a", "format=cvs"), "error: format: must be table, csv or json, got 'cvs'; did you mean csv?"),
        (("list", ".", "format=[csv]"), "error: format: must be table, csv or json, got ['csv']"),
        (
            ("report", "."),
            "error: run: . is not a run directory (it holds neither run.json nor plane.json); tl report ./*",
        ),
        (("report", "a", "b"), "error: run: b is not a run directory"),
        (("report", "a", "multirun.yaml", "notes.txt"), "error: run: must be a run directory, got notes.txt, which is"),
        (("report", "a", "aa"), "error: run: there is no folder aa"),
        (("report", "multirun.yaml", ".submitit"), "error: run: must name a run, got multirun.yaml, .submitit"),
        (("report", "run=[]"), "error: run: must name a run, got an empty list"),
        (("list", "runz"), "error: runs: there is no folder runz; did you mean runs?"),
        (("list", "notes.txt"), "error: runs: must be a folder, got notes.txt, which is a file"),
        (("list", "a", "b"), "error: b: tl list takes settings as key=value"),
    ],
)
def test_what_cannot_be_shown_is_one_line(folder, refused_line, words, line):
    for name in ("a", "b", "runs", ".submitit"):
        (folder / name).mkdir()
    (folder / "a" / "run.json").write_text("{}")
    for name in ("notes.txt", "multirun.yaml"):
        (folder / name).touch()
    assert refused_line(*words).startswith(line)


def test_list_shows_every_run_with_state_answer_and_tags(old_searches, run, told):
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"tags": ["first"]}))
    (old_searches / "copy" / "result.json").write_text("{")
    (old_searches.parent / "ledger" / "somewhere").mkdir(parents=True)
    lines = [line.split() for line in told("list").splitlines() if line.strip()]
    rows = {Path(line[0]).name: " ".join(line[1:]) for line in lines}
    assert rows["found-c55e6c1c"].startswith("done step6/layer 2: 45.44 on StdlibHalvesPairClassification and 3 more")
    assert rows["copy"].startswith("damaged")
    assert rows[run.name].startswith("done step 4, lowest eval loss 5.")
    assert " first " in rows[run.name]
    assert rows["Damaged:"].startswith("runs/search/copy/result.json: damaged")
    found = json.loads(told("list", ".", "format=json"))
    assert {(one["command"], one["state"]) for one in found} == {
        ("train", "done"),
        ("search", "done"),
        ("search", "damaged"),
    }
    assert found[0]["command"] == "train"
    assert len(told("list", str(old_searches), "format=csv").splitlines()) == 3
    (old_searches.parent / "empty").mkdir()
    assert told("list", "runs/empty").strip() == "runs/empty: holds no run"


def test_list_needs_no_heavy_library(old_searches):
    code = (
        "import sys; from tl_search.cli.main import main; code = main(['list']); "
        "print(code, sorted({'torch', 'transformers', 'lightning', 'mteb', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 []"


def test_a_launcher_tells_where_its_jobs_log_and_ends_with_the_table(run, folder, monkeypatch, capsys):
    shutil.copytree(ROOT / "launchers", folder / "launchers")
    monkeypatch.setattr(launch, "_launch", lambda line, jobs: 0)  # no other process: what it leaves is there already
    assert main(["train", *TINY, "launchers=local"]) == 0
    out, err = capsys.readouterr()
    assert f"job 0: runs/train/{run.name}/train.log" in err.splitlines()
    assert err.splitlines()[-1] == "what jobs print: runs/train/.submitit/JOB"
    assert any(line.split()[:2] == [f"runs/train/{run.name}", "done"] for line in out.splitlines())


@pytest.mark.slow
def test_a_sweep_of_trainings_ends_with_one_table_whatever_became_of_its_jobs(run, folder, capsys):
    shutil.copytree(run, broken := folder / "runs/train" / folders("train", *TINY, "seed=1")[0].name, symlinks=True)
    (broken / "DONE.json").write_text("[")
    assert main(["train", "-m", *TINY, "seed=0,1"]) == 2
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert {line[0]: line[1] for line in lines if line[0].startswith("tiny-log-")} == {
        run.name: "done",
        broken.name: "damaged",
    }


@pytest.fixture
def old_searches(folder) -> Path:
    """The folder `runs/search` with two finished searches of an earlier version."""
    import tarfile

    with tarfile.open(ROOT / "tests/runs/written_before.tar.xz") as archive:
        members = [one for one in archive.getmembers() if one.name.lstrip("./").startswith("runs/search")]
        archive.extractall(folder, members, filter="data")
    shutil.copytree(folder / "runs/search/found-c55e6c1c", folder / "runs/search/copy")
    return folder / "runs/search"
