"""`tl schedule` through the command line: what it prints, writes, compares and refuses."""

import json
from pathlib import Path

import pytest
import yaml

from tl_search.checkpoints.index import index_of
from tl_search.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
THREE_EPOCHS = "horizon.epoch_ends=[333,666,1000]"
LOG = [
    "Epoch 1 (0-333): 20 checkpoints: "
    "0, 17, 35, 52, 70, 87, 105, 122, 140, 157, 175, 192, 210, 227, 245, 262, 280, 297, 315, 333",
    "Epoch 2 (334-666): 9 checkpoints: 334, 336, 340, 348, 364, 396, 460, 588, 666",
    "Epoch 3 (667-1000): 9 checkpoints: 667, 669, 673, 681, 697, 729, 793, 921, 1000",
    "38 checkpoints, gaps of 1 to 128 steps",
]
LINEAR = [
    "Epoch 1 (0-333): 5 checkpoints: 0, 83, 166, 249, 333",
    "Epoch 2 (334-666): 8 checkpoints: 334, 384, 434, 484, 534, 584, 634, 666",
    "Epoch 3 (667-1000): 8 checkpoints: 667, 717, 767, 817, 867, 917, 967, 1000",
    "21 checkpoints, gaps of 1 to 84 steps",
]
FIVE_EVERY_50 = ("schedule=linear", "schedule.first_epoch_checkpoints=5", "schedule.linear_interval=50")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def said(capsys):
    """Run a command line that should succeed; the lines it prints."""

    def run(*words: str) -> list[str]:
        code = main(["schedule", *words])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        return out.splitlines()

    return run


@pytest.fixture
def refused(capsys, folder):
    """Run a command line that should be refused; its one line. Nothing may be written."""

    def run(*words: str) -> str:
        before = sorted(folder.rglob("*"))
        code = main(["schedule", *words])
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert sorted(folder.rglob("*")) == before
        return err.removeprefix("error: ").rstrip("\n")

    return run


@pytest.mark.parametrize(("words", "lines"), [(("schedule=log",), LOG), (FIVE_EVERY_50, LINEAR)])
def test_the_worked_examples_are_printed_as_published(said, folder, words, lines):
    assert said(*words, THREE_EPOCHS)[:4] == lines
    assert not list(folder.iterdir())


def test_disk_is_estimated_for_weights_and_states_apart(said):
    words = ("tokenizer=bytes", "model.width=64", "model.blocks=2", "model.heads=2", "horizon.total=100")
    (line,) = [line for line in said("schedule=none", *words) if line.startswith("Disk")]
    assert line == (
        "Disk, an estimate for 133 k parameters: weights 1 × 532 kB = 532 kB, "
        "full training states at most 3 × 1.6 MB = 4.79 MB"
    )


def test_the_epoch_is_counted_from_the_text_and_nothing_stays(said, folder):
    (folder / "text.txt").write_text("abcdefg\n" * 1000)
    before = sorted(folder.rglob("*"))
    lines = said(
        "data=files", "data.corpus.path=text.txt", "tokenizer=bytes", "model.context=32", "data.batch_size=8",
        "data.validation_share=0", "trainer.max_steps=70", "trainer.accelerator=cpu", "schedule=none",
    )  # fmt: skip
    assert lines[:4] == [
        "An epoch has 31 steps",  # 8001 tokens are 250 blocks of 32, or 31 steps of 8
        "Epoch 1 (0-31): 0 checkpoints",
        "Epoch 2 (32-62): 0 checkpoints",
        "Epoch 3 (63-70): 1 checkpoint: 70",
    ]
    assert any(line.startswith("Time, an estimate: ") for line in lines)
    assert sorted(folder.rglob("*")) == before


def test_a_study_of_training_may_be_looked_at(said, monkeypatch):
    monkeypatch.setenv("TL_ROOT", str(ROOT))
    lines = said("experiments=quickstart/train", "horizon.total=800")
    assert lines[0] == "Epoch 1 (0-800): 10 checkpoints: 0, 2, 6, 14, 30, 62, 126, 254, 510, 800"


def test_an_interval_longer_than_the_epoch_is_warned_of(said):
    lines = said(THREE_EPOCHS, "schedule.min_checkpoint_interval=500")
    assert lines[2].startswith("Epoch 3 (667-1000): 1 checkpoint: 1000")
    assert any(line.startswith("warning: schedule.min_checkpoint_interval: 500 steps are more") for line in lines)


def test_output_is_chosen_by_its_suffix(said, folder):
    for name in ("s.yaml", "deep/s.json", "s.png", "s.svg"):
        assert said("schedule=every", "schedule.interval=40", "horizon.total=100", f"output={name}")[-1] == (
            f"written to {name}"
        )
    for content in (yaml.safe_load((folder / "s.yaml").read_text()), json.loads((folder / "deep/s.json").read_text())):
        assert content["steps"] == [0, 40, 80, 100]
        assert content["horizon"] == {"total": 100, "epoch_ends": [100]}
        assert content["schedule"]["interval"] == 40
    assert (folder / "s.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (folder / "s.svg").read_bytes()


OLD = {
    "auto_generate_checkpoints": True,
    "first_epoch_checkpoints": 5,
    "subsequent_epochs_spacing": "linear",
    "log_base": 2,
    "linear_interval": 50,
    "min_checkpoint_interval": 0,
}


@pytest.mark.parametrize("wrap", [lambda keys: {"training": keys, "model": {}}, lambda keys: keys])
def test_an_old_file_gives_its_schedule_and_the_successor_of_every_key(said, folder, wrap):
    (folder / "old.yaml").write_text(yaml.safe_dump(wrap(OLD)))
    lines = said("from=old.yaml", THREE_EPOCHS)
    notes = [line for line in lines if line.startswith("note: ")]
    assert [line for line in lines if line not in notes][:4] == LINEAR
    assert len(notes) == len(OLD)
    assert "note: subsequent_epochs_spacing is now schedule=log or schedule=linear" in notes
    assert "note: log_base is now schedule.log_base, which schedule=linear does not use" in notes


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        ({"target_checkpoints": {"epoch_1": 3, "epoch_2": 9}}, "Epoch 1 (0-800): 3 checkpoints: 0, 400, 800"),
        ({"log_steps_first_epoch": True}, "Epoch 1 (0-800): 10 checkpoints: 0, 2, 6, 14, 30, 62, 126, 254, 510, 800"),
        (
            {"auto_generate_checkpoints": False, "checkpoint_schedule": [7, 9]},
            "Epoch 1 (0-800): 4 checkpoints: 0, 7, 9, 800",
        ),
        (
            {"auto_generate_checkpoints": False, "first_epoch_checkpoints": 2},
            "Epoch 1 (0-800): 2 checkpoints: 0, 800",
        ),
    ],
)
def test_older_keys_are_mapped(said, folder, keys, first):
    (folder / "old.yaml").write_text(yaml.safe_dump({"training": keys}))
    lines = said("from=old.yaml", "horizon.total=800")
    assert next(line for line in lines if line.startswith("Epoch")) == first


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("{subsequent_epochs_spacing: cubic}", "subsequent_epochs_spacing: must be log or linear, got 'cubic'"),
        ("{first_epoch_checkpoints: many}", "first_epoch_checkpoints: must be an integer, got 'many'"),
        ("{log_base: 0.5}", "log_base: must be > 1, got 0.5"),
        ("{checkpoint_schedule: [5, 3]}", "checkpoint_schedule[1]: must be above 5, the step before it, got 3"),
        ("{target_checkpoints: often}", "target_checkpoints: must be a number of checkpoints"),
        ("{log_steps_first_epoch: perhaps}", "log_steps_first_epoch: must be true or false, got 'perhaps'"),
        ("{batch_size: 3}", "holds no key of a schedule (known: auto_generate_checkpoints, "),
        ("[1, 2]", "holds no key of a schedule"),
        ("{a: [", "cannot be read as YAML"),
    ],
)
def test_nonsense_in_an_old_file_is_one_line(refused, folder, keys, message):
    (folder / "old.yaml").write_text(keys)
    assert refused("from=old.yaml", "horizon.total=800").startswith(f"from: old.yaml: {message}")


def test_diff_compares_options_files_and_runs(said, folder):
    said("schedule=every", "schedule.interval=5", "horizon.total=10", "output=new.json")
    (folder / "old.yaml").write_text("training: {first_epoch_checkpoints: 3, log_base: 2}")
    for step in (0, 4, 10):
        index_of(folder / "run").append({"name": f"step{step}", "step": step})
    assert said("diff", "new.json", "run") == ["only in new.json: 1: 5", "only in run: 1: 4", "both: 2: 0, 10"]
    assert said("diff", "none", "old.yaml", "horizon.total=10") == [
        "only in none: 0",
        "only in old.yaml: 2: 0, 5",
        "both: 1: 10",
    ]
    assert said("diff", "log", "log", THREE_EPOCHS)[:2] == ["only in log: 0", "only in log: 0"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("schedule.log_base=1 horizon.total=9", "schedule.log_base: must be > 1, got 1"),
        ("schedule.checkpoint_schedule=[3,10] horizon.total=9", "schedule.checkpoint_schedule[1]: must be at most the"),
        ("schedule.auto_generate_checkpoints=false", "schedule.checkpoint_schedule: must list steps when"),
        ("schedule=every schedule.interval=1 horizon.total=9000000000", "schedule.interval: must leave at most"),
        ("horizon.total=0", "horizon.total: must be >= 1, got 0"),
        ("horizon.total=long", "horizon.total: must be an integer, got 'long'"),
        ("horizon.epoch_ends=[5,3]", "horizon.epoch_ends: must rise from above 0, got [5, 3]"),
        ("horizon.epochs=3", "horizon.epochs: unknown key; did you mean epoch_ends?"),
        ("output=steps.txt", "output: must be a file that ends in .yaml, .json, .png, .svg, got steps.txt"),
        ("from=nothing.yaml", "from: there is no file nothing.yaml"),
        ("diff log", "diff: tl schedule takes settings as key=value, or: diff A B"),
        ("compare log linear", "compare: tl schedule takes settings as key=value, or: diff A B"),
        ("diff log nothing.yaml", "diff: must be a file, a training run or one of log, linear, pythia, every, none"),
    ],
)
def test_mistakes_are_one_line(refused, words, message):
    assert refused(*words.split()).startswith(message)


def test_a_folder_without_revisions_is_no_training_run(capsys, folder):
    (folder / "empty").mkdir()
    assert main(["schedule", "diff", "empty", "none", "horizon.total=9"]) == 2
    assert "empty is not a training run with revisions" in capsys.readouterr().err
