"""`tl schedule` beside training runs: which it compares, and how one would go on."""

import shutil
from pathlib import Path

import pytest
from tiny_training import TINY, only_run

from tl_search.cli.main import main
from tl_search.runs.index import index_of, read_index
from tl_search.store.atomic import read_json


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of twelve steps; only to be read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("schedule"))
        text = Path("text.txt")
        text.write_text("a small world of words\n" * 12)
        words = [word for word in TINY if not word.startswith("data.corpus.path")]
        assert main(["train", *words, f"data.corpus.path={text.resolve()}", "trainer.max_steps=12"]) == 0
        yield only_run()


def written(run):
    return [line.step for line in read_index(run)]


def test_a_run_is_compared_over_its_own_length(schedule, trained):
    steps = written(trained)
    lines = schedule("diff", "log", str(trained))
    epoch = steps[1]  # the first epoch has two revisions: step 0 and its end
    assert lines[0] == f"An epoch has {epoch} steps, the run 12 (the settings of {trained})"
    assert lines[2] == f"only in {trained}: 0"
    assert lines[3].startswith(f"both: {len(steps)}: 0, ")
    assert schedule("diff", "log", str(trained), "horizon.total=12")[0] == (
        "The run has 12 steps, epochs end at 12 (horizon)"
    )


def test_an_epoch_is_measured_once_for_both_sides(schedule, folder, monkeypatch):
    from tl_search.training import horizon

    calls = []
    measure = horizon.measure_epoch
    monkeypatch.setattr(horizon, "measure_epoch", lambda plan: calls.append(plan) or measure(plan))
    (folder / "text.txt").write_text("words\n" * 4000)
    words = ("data=files", "data.corpus.path=text.txt", "tokenizer=bytes", "trainer.max_steps=9", "model.context=32")
    lines = schedule("diff", "log", "linear", *words)
    assert len(calls) == 1
    assert lines[0].endswith("steps, the run 9 (this command's settings)")


def test_files_and_runs_are_compared_as_they_are(schedule, folder):
    schedule("schedule=every", "schedule.interval=5", "horizon.total=10", "output=new.json")
    (folder / "old.yaml").write_text("training: {first_epoch_checkpoints: 3, log_base: 2}")
    for step in (0, 4, 10):
        index_of(folder / "run").append({"name": f"step{step}", "step": step})
    assert schedule("diff", "new.json", "run") == ["only in new.json: 1: 5", "only in run: 1: 4", "both: 2: 0, 10"]
    assert schedule("diff", "new.json", "old.yaml") == [
        "The run has 10 steps, epochs end at 10 (new.json)",
        "only in new.json: 0",
        "only in old.yaml: 0",
        "both: 3: 0, 5, 10",
    ]


def test_a_run_whose_text_is_gone_can_be_compared_over_a_given_length(refused, schedule, folder, trained):
    shutil.copytree(trained, folder / "run", symlinks=True)
    config = folder / "run" / "config.yaml"
    config.write_text(config.read_text().replace("text.txt", "gone.txt"))
    assert refused("diff", "log", "run").startswith("diff: run: data.corpus.path: must name a text file")
    assert schedule("diff", "none", "run", "horizon.total=12")[1] == "only in none: 0"


def test_a_folder_without_revisions_is_no_training_run(refused, folder):
    (folder / "empty").mkdir()
    assert "empty is not a training run with revisions" in refused("diff", "empty", "none", "horizon.total=9")


def test_a_longer_run_is_shown_before_it_goes_on(schedule, folder, trained):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    lines = schedule(f"resume={trained}", "trainer.max_steps=20", "schedule=explicit",
                     "schedule.checkpoint_schedule=[3,17]", "output=steps.yaml")  # fmt: skip
    steps = written(trained)
    (line,) = [line for line in lines if line.startswith(str(trained))]
    epoch = steps[1]
    ahead = {*range(epoch, 20, epoch), 17, 20} - set(range(13))
    assert line.partition("; ") == (
        f"{trained} continues from step 12",
        "; ",
        f"of these checkpoints, {len(steps)} exist already and {len(ahead)} are still to come",
    )
    assert sum(line.startswith("Epoch") for line in lines) == -(-20 // epoch)
    assert any(line.startswith("warning: the learning rate was planned for 12 steps, the run now") for line in lines)
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before
    assert main(["train", f"resume={trained}", "trainer.max_steps=14", "--cfg", "job"]) == 0


def test_a_horizon_says_how_long_the_run_is_to_be(schedule, trained):
    lines = schedule(f"resume={trained}@best", "horizon.total=20", "schedule=none")
    assert lines[0].endswith("12, 20")
    (line,) = [line for line in lines if line.startswith(f"{trained} continues from step 12; ")]
    assert line.endswith(" and 1 are still to come")


def test_what_would_be_refused_of_a_resumed_run_is_refused_here(refused, trained):
    assert "nothing is left to do" in refused(f"resume={trained}", "trainer.max_steps=12", "schedule=none")
    assert "resume: there is no folder nowhere" in refused("resume=nowhere")
    assert read_json(trained / "DONE.json")["step"] == 12
