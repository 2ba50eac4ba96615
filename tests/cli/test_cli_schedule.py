"""`tl schedule` through the command line: what it prints, writes, compares and refuses."""

import json
from pathlib import Path

import pytest
import yaml

from tl_search.text.hub import HubDataset

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


@pytest.mark.parametrize(("words", "lines"), [(("schedule=log",), LOG), (FIVE_EVERY_50, LINEAR)])
def test_the_worked_examples_are_printed_as_published(schedule, folder, words, lines):
    assert schedule(*words, THREE_EPOCHS)[:4] == lines
    assert not list(folder.iterdir())


@pytest.mark.slow
def test_it_says_per_epoch_which_rule_placed_the_steps(schedule):
    assert schedule(THREE_EPOCHS)[4:6] == [
        "Steps of epoch 1: 20 evenly spread steps (first_epoch_checkpoints=auto)",
        "Steps of epochs 2-3: schedule=log, counted from the start of the epoch",
    ]
    assert schedule("horizon.total=100")[:3] == [
        "Epoch 1 (0-100): 7 checkpoints: 0, 2, 6, 14, 30, 62, 100",
        "7 checkpoints, gaps of 2 to 38 steps",
        "Steps of epoch 1: schedule=log, counted from the start of the epoch",
    ]
    assert "Steps of epochs 1-3: schedule=pythia, counted over the whole run" in schedule(
        "schedule=pythia", THREE_EPOCHS
    )


def test_disk_is_estimated_for_weights_and_states_apart(schedule):
    words = ("tokenizer=bytes", "model.width=64", "model.blocks=2", "model.heads=2", "horizon.total=100")
    (line,) = [line for line in schedule("schedule=none", *words) if line.startswith("Disk")]
    assert line == (
        "Disk, an estimate for 133 k parameters: weights at most 2 × 532 kB = 1.06 MB (1 of them for the best model), "
        "full training states at most 3 × 1.6 MB = 4.79 MB"
    )
    (line,) = [line for line in schedule("schedule=none", *words, "callbacks.best=null") if line.startswith("Disk")]
    assert "weights 1 × 532 kB = 532 kB, full training states at most 2 × 1.6 MB" in line


def test_the_epoch_is_counted_from_the_text_and_nothing_stays(schedule, folder):
    (folder / "text.txt").write_text("abcdefg\n" * 1000)
    before = sorted(folder.rglob("*"))
    lines = schedule(
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


@pytest.mark.parametrize(
    ("count", "first"),
    [
        (1000, "An epoch has about 312 steps (an estimate, from the first 10 of 1000 documents)"),
        (None, "An epoch's length is unknown ("),
    ],
)
def test_an_epoch_of_a_remote_data_set_is_an_estimate_and_said_to_be_one(schedule, monkeypatch, count, first):
    monkeypatch.setattr(HubDataset, "glimpse", lambda self, few: (["a" * 39] * 10, count))
    lines = schedule(
        "data=hub", "data.corpus.name=owner/books", "tokenizer=bytes", "model.context=16", "data.batch_size=8",
        "data.validation_share=0", "trainer.max_steps=70", "schedule=none",
    )  # fmt: skip
    assert lines[0].startswith(first)
    assert lines[1] == "Epoch 1 (0-70): 1 checkpoint: 70"


def test_a_study_of_training_may_be_looked_at(schedule, monkeypatch):
    monkeypatch.setenv("TL_ROOT", str(ROOT))
    lines = schedule("experiments=quickstart/train", "horizon.total=800")
    assert lines[0] == "Epoch 1 (0-800): 10 checkpoints: 0, 2, 6, 14, 30, 62, 126, 254, 510, 800"


def test_an_interval_longer_than_the_epoch_is_warned_of(schedule):
    lines = schedule(THREE_EPOCHS, "schedule.min_checkpoint_interval=500")
    assert lines[2].startswith("Epoch 3 (667-1000): 1 checkpoint: 1000")
    assert any(line.startswith("warning: schedule.min_checkpoint_interval: 500 steps are more") for line in lines)


@pytest.mark.slow
def test_output_is_chosen_by_its_suffix(schedule, folder):
    for name in ("s.yaml", "deep/s.json", "s.png", "s.svg"):
        assert schedule("schedule=every", "schedule.interval=40", "horizon.total=100", f"output={name}")[-1] == (
            f"written to {name}"
        )
    for content in (yaml.safe_load((folder / "s.yaml").read_text()), json.loads((folder / "deep/s.json").read_text())):
        assert content["steps"] == [0, 40, 80, 100]
        assert content["horizon"] == {"total": 100, "epoch_ends": [100]}
        assert content["schedule"]["interval"] == 40
    assert (folder / "s.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (folder / "s.svg").read_bytes()


def test_time_is_estimated_for_a_given_horizon_too_and_what_is_unknown_is_said(schedule):
    lines = schedule("tokenizer=bytes", "horizon.total=100")
    assert any(line.startswith("Time, an estimate: ") and " for 410 k tokens" in line for line in lines)
    lines = schedule("tokenizer=pretrained", "tokenizer.name=owner/name", "horizon.total=100")
    assert lines[-1].startswith("Disk and time: unknown, since the size of the vocabulary is unknown")


def test_the_horizon_is_the_length_even_where_the_training_would_be_shorter(schedule):
    lines = schedule("schedule=explicit", "schedule.checkpoint_schedule=[5000]", "horizon.total=6000")
    assert lines[0] == "Epoch 1 (0-6000): 3 checkpoints: 0, 5000, 6000"


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
        ("+horizon.epochs=3", "horizon.epochs: unknown key; did you mean epoch_ends?"),
        ("horizon=1000", "horizon: must be given as horizon.total=STEPS or horizon.epoch_ends=[…], got 1000"),
        ("horizon=null", "horizon: must be given as horizon.total=STEPS or horizon.epoch_ends=[…], got None"),
        ("trainer.max_steps=1000000000 tokenizer=bytes", "trainer.max_steps: must be at most 100000 epochs of "),
        ("trainer.max_steps=1000000000000 tokenizer=bytes", "trainer.max_steps: must be at most 100000 epochs of "),
        (
            "horizon.total=9 "
            "schedule.also=[{_target_:tl_search.plane.schedules.none.NoSchedule,checkpoint_schedule:[10]}]",
            "schedule.also[0].checkpoint_schedule[0]: must be at most the run's last step, 9, got 10",
        ),
        ("diff log linear output=x.yaml", "output: must be left out with diff; diff writes no file"),
        ("diff log linear schedule.log_base=3", "schedule.log_base=3: must be left out with diff, which compares"),
        (
            "launchers=local horizon.total=9",
            "launchers=local: must be left out, since tl schedule runs here, without a launcher",
        ),
        ("output=steps.txt", "output: must be a file that ends in .yaml, .json, .png, .svg, got steps.txt"),
        ("from=nothing.yaml", "from: there is no file nothing.yaml"),
        ("diff log", "diff: tl schedule takes settings as key=value, or: diff A B"),
        ("compare log linear", "compare: tl schedule takes settings as key=value, or: diff A B"),
        ("diff log nothing.yaml", "diff: must be a file, a training run or one of every, explicit, linear, log, none"),
        ("diff explicit log horizon.total=9", "diff: explicit has a setting that must be given: checkpoint_schedule: "),
    ],
)
@pytest.mark.slow_but_every(3)
def test_mistakes_are_one_line(refused, words, message):
    assert refused(*words.split()).startswith(message)
