"""`tl compare`: arms from one state, with the same seeds; what their paired differences show, and what they do not."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tl_search.cli.main import main
from tl_search.store.atomic import read_json

ROOT = Path(__file__).parents[2]
# The optimizer divides gradients by their size, but these are so small that it does not move at all.
STILL = """
_target_: tl_search.plane.curriculum.Curriculum
name: still
stages: {whole: {weights: {next_token: 1.0e-13}}}
"""


def own_curricula():
    """Options beside the built-in ones: one that learns nothing, one with another name, one for a huge rate."""
    place = Path("conf/curriculum")
    place.mkdir(parents=True)
    (place / "still.yaml").write_text(STILL)
    (place / "tame.yaml").write_text(STILL.replace("still", "tame").replace("1.0e-13", "1.0e-30"))
    (place / "same.yaml").write_text((ROOT / "conf/curriculum/constant.yaml").read_text())


def told(capsys, *words):
    capsys.readouterr()
    code = main(["compare", *words])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.slow
def test_identical_curricula_show_no_difference_and_a_planted_one_is_found(run, capsys):
    own_curricula()
    words = [
        f"base={run}@step2",
        "curricula=[current,same,still]",
        "seeds=3",
        *("trainer.max_steps=12", "optimizer.lr=0.01", "branch.lr=restart", "eval_interval=5", "logger=tensorboard"),
        *("at=[5,10]", "threshold=1.0", f"hydra.searchpath=[file://{Path('conf').resolve()}]", "output=found"),
    ]
    code, out, err = told(capsys, *words)
    assert code == 0, err
    found = read_json(Path("found/comparison.json"))
    _, same, still = found["arms"]
    assert out.count(" arms from ") == 1  # one table, and not that of the sweep before it
    assert (found["winner"], found["commands"]) == (None, [])
    assert "No winner is shown, so no run is named to be trained further" in out
    assert [gap["mean"] for gap in same["against_first"]] == [0, 0]
    assert "eval loss at step 12: no difference shown between same and current (+0.0000;" in out
    assert still["against_first"][0]["shown"]
    assert still["against_first"][0]["mean"] > 0.1
    assert "eval loss at step 12: higher with still than with current, by " in out
    assert Path("found/curves.png").read_bytes().startswith(b"\x89PNG")
    folders = {entry["folder"] for arm in (same, still) for entry in arm["runs"].values()}
    assert len(folders) == 6
    assert set(found["arms"][0]["runs"]["0"]["values"]) >= {"5", "10", "12"}
    assert len({read_json(Path(folder, "run.json"))["parent"]["sha256"] for folder in folders}) == 1
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*.safetensors")}
    assert told(capsys, *words)[:2] == (0, out)
    again = told(capsys, f"runs=[{','.join(sorted(folders))}]", "output=again")
    assert again[0] == 0
    assert "higher with still than with constant, by " in again[1] or "lower with constant than with still" in again[1]
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*.safetensors")} == before
    again_found = read_json(Path("again/comparison.json"))
    assert again_found["winner"] == "constant"
    (command,) = again_found["commands"]
    assert command in again[1]
    assert main(shlex.split(command)[1:]) == 0
    longer = [path for path in Path("runs/train").glob("*/DONE.json") if read_json(path)["step"] == 24]
    assert len(longer) == 1  # 12 steps are all that the parent was planned for


@pytest.mark.slow
def test_the_arm_current_is_what_its_parent_is_without_a_comparison(run, capsys):
    words = [f"base={run}@step2", "curricula=[current,two_stage]", "seeds=[0]", "branch.data=keep", "output=found"]
    assert told(capsys, *words)[0] == 0
    current = Path(read_json(Path("found/comparison.json"))["arms"][0]["runs"]["0"]["folder"])
    model = Path("revisions/main/model.safetensors")
    assert (current / model).read_bytes() == (run / model).read_bytes()


@pytest.mark.slow
def test_a_comparison_that_is_killed_goes_on_and_reads_runs_of_a_sweep(run, capsys):
    sweep = [f"branch_from={run}@step2", "curriculum=current,two_stage", "branch.data=restart", "seed=0"]
    assert main(["train", "-m", *sweep]) == 0
    swept = {path.parent: path.stat().st_mtime_ns for path in Path("runs/train").glob("*restart*/DONE.json")}
    assert told(capsys, f"runs=[{','.join(map(str, swept))}]", "output=swept")[0] == 0
    words = [f"base={run}@step2", "curricula=[current,two_stage]", "seeds=3", "output=found"]
    process = subprocess.Popen([sys.executable, "-m", "tl_search", "compare", *words], start_new_session=True)
    until = time.monotonic() + 300
    while len([*Path("runs/train").glob("*restart*/DONE.json")]) == len(swept) and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not Path("found").exists()
    there = {path.parent: path.stat().st_mtime_ns for path in Path("runs/train").glob("*restart*/DONE.json")}
    assert len(swept) < len(there) < 6
    assert told(capsys, *words)[0] == 0
    assert {len(arm["runs"]) for arm in read_json(Path("found/comparison.json"))["arms"]} == {3}
    assert {folder: (folder / "DONE.json").stat().st_mtime_ns for folder in there} == there


@pytest.mark.slow
def test_arms_are_trained_through_a_launcher_also_those_that_diverge(run, folder, capsys):
    shutil.copytree(ROOT / "launchers", folder / "launchers")
    own_curricula()
    words = [f"base={run}@step2", "curricula=[tame,current]", "seeds=1", "launchers=local", "output=found"]
    words += [f"hydra.searchpath=[file://{Path('conf').resolve()}]", "hydra.launcher.cpus_per_task=1"]
    wild = ["optimizer.lr=1e20", "optimizer.weight_decay=0", "branch.optimizer=reset", "trainer.max_steps=8"]
    code, out, err = told(capsys, *words, *wild)
    assert code == 3, err  # done, but a run has diverged
    assert "job 0 (curriculum=tame" in err
    assert "current: 1 of 1 run diverged: seed 0 at step " in out
    assert "no difference shown between current and tame: no seed has it in both" in out
    assert told(capsys, *words, *wild)[:2] == (3, out)


@pytest.mark.slow
def test_curricula_of_peptides_are_compared_by_what_is_read(folder, capsys):
    small = "model.width=16 model.blocks=1 model.heads=2 model.feed_forward=32 model.context=14 data.max_length=12"
    words = [
        *("base=step4", "curricula=[peptide_early_short,short]", "seeds=2", "metric=eval/clean/token_accuracy"),
        *("data=peptide", "curriculum=peptide_early_short", "schedule=none", "trainer.max_steps=12", "eval_interval=4"),
        *(*small.split(), "data.batch_size=4", "data.validation_spectra=4", "output=found"),
        f"hydra.searchpath=[file://{Path('conf').resolve()}]",
    ]
    own = Path("conf/curriculum/short.yaml")
    own.parent.mkdir(parents=True)
    sooner = "stages: {foundation: {steps: 4}, spectrum_in: {steps: 4}}\n"
    own.write_text(f"defaults: [peptide_early_short, _self_]\nname: short\n{sooner}")
    code, out, err = told(capsys, *words)
    assert code == 0, err
    found = read_json(Path("found/comparison.json"))
    assert (found["mode"], found["end"], [len(arm["runs"]) for arm in found["arms"]]) == ("max", 12, [2, 2])
    assert [arm["stages"] for arm in found["arms"]] == [{}, {"4": "spectrum_in", "8": "precursor_in"}]
    assert [row["key"] for row in found["rows"]] == ["final", "best", "jump 4", "jump 8"]
    assert "eval/clean/token_accuracy at step 12: " in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "base: must be given, or runs=[RUN,RUN,...] in its place"),
        (["base={run}@step2", "curricula=[constant]"], "curricula: must be two different ones or more, got [constant]"),
        (["base={run}@step2", "curricula=[constant,constant]"], "curricula: must be two different ones"),
        (["base={run}@step3", "curricula=[constant,two_stage]"], "has no training state step3; states: step4, step2"),
        (
            ["base={run}@step2", "curricula=[constant,two_stag]"],
            "curriculum: no option 'two_stag'; did you mean two_stage?",
        ),
        (["base={run}@step2", "curricula=[constant,two_stage]", "seeds=0"], "seeds: must be >= 1, got 0"),
        (
            ["base={run}@step2", "curricula=[constant,two_stage]", "seeds=[1,1]"],
            "seeds: must be a number >= 1 or a list",
        ),
        (["base={run}@step2", "curricula=[constant,two_stage]", "seed=3"], "settings: must be without branch_from, "),
        (["runs=[{run}]"], "runs: must be branches of one state (branch_from=RUN@stepN), got "),
        (["runs=[{run}]", "curricula=[constant,two_stage]"], "runs: must be given without curricula"),
        (["runs=[runs/train/nowhere]"], "runs: there is no folder runs/train/nowhere"),
        (["base={run}@step2", "curricula=[constant,two_stage]", "at=[2]"], "at: must be steps after the branch, > 2"),
        pytest.param(
            ["base={run}@step2", "curricula=[constant,two_stage]", "at=9"],
            "at: must be steps up to the arms' last, 4",
            marks=pytest.mark.slow,  # two arms are trained first
        ),
        pytest.param(
            ["base=step20", "curricula=[constant,two_stage]", "trainer.max_steps=20"],
            "trainer.max_steps: must be > 20, where the arms begin, got 20",
            marks=pytest.mark.slow,
        ),
        (["base={run}@step2", "curricula=[constant,two_stage]", "mode=mx"], "mode: must be min, max or null, got mx"),
        (["base={run}@step2", "curricula=[constant,two_stage]", "threshold=x"], "threshold: "),
    ],
)
def test_bad_input_is_one_line(run, words, said, capsys):
    before = sorted(path for path in Path().rglob("*"))
    code, _, err = told(capsys, *(word.format(run=run) for word in words))
    assert code == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    assert said in err
    assert sorted(path for path in Path().rglob("*")) == before
