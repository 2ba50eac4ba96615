"""`tl schedule from=FILE`: files of the earlier checkpoint generator, and what `output=` wrote."""

import pytest
import yaml
from test_cli_schedule import LINEAR, THREE_EPOCHS

OLD = {
    "auto_generate_checkpoints": True,
    "first_epoch_checkpoints": 5,
    "subsequent_epochs_spacing": "linear",
    "log_base": 2,
    "linear_interval": 50,
    "min_checkpoint_interval": 0,
}


@pytest.mark.parametrize("wrap", [lambda keys: {"training": keys, "model": {}}, lambda keys: keys])
def test_an_old_file_gives_its_schedule_and_the_successor_of_every_key(schedule, folder, wrap):
    (folder / "old.yaml").write_text(yaml.safe_dump(wrap(OLD)))
    lines = schedule("from=old.yaml", THREE_EPOCHS)
    notes = [line for line in lines if line.startswith("note: ")]
    assert [line for line in lines if line not in notes][:4] == LINEAR
    assert len(notes) == len(OLD)
    assert "note: subsequent_epochs_spacing is now schedule=log or schedule=linear" in notes
    assert "note: log_base is now schedule.log_base, which schedule=linear does not use" in notes


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        ({"target_checkpoints": {"epoch_2": 9, "epoch_1": 3}}, "Epoch 1 (0-800): 3 checkpoints: 0, 400, 800"),
        ({"target_checkpoints": 9, "first_epoch_checkpoints": 3}, "Epoch 1 (0-800): 3 checkpoints: 0, 400, 800"),
        ({"log_base": 3}, "Epoch 1 (0-800): 20 checkpoints: " + ", ".join(str(800 * i // 19) for i in range(20))),
        ({"log_steps_first_epoch": True, "first_epoch_checkpoints": 2}, "Epoch 1 (0-800): 2 checkpoints: 0, 800"),
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
@pytest.mark.slow_but_every(3)
def test_older_keys_are_mapped(schedule, folder, keys, first):
    (folder / "old.yaml").write_text(yaml.safe_dump({"training": keys}))
    lines = schedule("from=old.yaml", "horizon.total=800")
    assert next(line for line in lines if line.startswith("Epoch")) == first


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("{subsequent_epochs_spacing: cubic}", "subsequent_epochs_spacing: must be log or linear, got 'cubic'"),
        ("{subsequent_epochs_spacing: [log]}", "subsequent_epochs_spacing: must be log or linear, got ['log']"),
        ("{first_epoch_checkpoints: many}", "first_epoch_checkpoints: must be an integer or one of auto or null, got"),
        ("{log_base: 0.5}", "log_base: must be > 1, got 0.5"),
        ("{checkpoint_schedule: [5, 3]}", "checkpoint_schedule[1]: must be above 5, the step before it, got 3"),
        ("{target_checkpoints: often}", "target_checkpoints: must be a number of checkpoints"),
        ("{log_steps_first_epoch: perhaps}", "log_steps_first_epoch: must be true or false, got 'perhaps'"),
        ("{batch_size: 3}", "has no setting of a schedule (known settings: auto_generate_checkpoints, "),
        ("[1, 2]", "has no setting of a schedule"),
        ("{a: [", "cannot be read as YAML"),
    ],
)
@pytest.mark.slow_but_every(3)
def test_nonsense_in_an_old_file_is_one_line(refused, folder, keys, message):
    (folder / "old.yaml").write_text(keys)
    assert refused("from=old.yaml", "horizon.total=800").startswith(f"from: old.yaml: {message}")


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        (
            {"target_checkpoints": {"epoch_1": 3, "epoch_2": 9}},
            "first_epoch_checkpoints: the 3 of epoch_1 is used; the numbers for later epochs have no successor",
        ),
        ({"target_checkpoints": 9, "first_epoch_checkpoints": 3}, "not used, since first_epoch_checkpoints is given"),
        ({"min_checkpoint_interval": 100}, "the earlier generator read this key but did not apply it"),
        (
            {"log_steps_first_epoch": True, "subsequent_epochs_spacing": "linear"},
            "schedule=linear then spaces the first epoch like the later ones",
        ),
    ],
)
def test_what_an_old_key_cannot_say_any_more_is_told(schedule, folder, keys, note):
    (folder / "old.yaml").write_text(yaml.safe_dump(keys))
    (line,) = [line for line in schedule("from=old.yaml", "horizon.total=800") if note in line]
    assert line.startswith("note: ")


@pytest.mark.slow_but_one
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_what_output_wrote_is_read_again(schedule, folder, suffix):
    words = (
        "schedule=log", "schedule.log_mode=offset", "schedule.first_epoch_checkpoints=null",
        "schedule.also=[7,none,{_target_:tl_search.plane.schedules.every.EverySchedule,interval:300}]",
    )  # fmt: skip
    said = schedule(*words, THREE_EPOCHS, f"output=steps.{suffix}")[:4]
    assert schedule(f"from=steps.{suffix}", THREE_EPOCHS)[:4] == said
    assert schedule("diff", f"steps.{suffix}", "none")[:3] == [
        f"The run has 1000 steps, epochs end at 333, 666, 1000 (steps.{suffix})",
        *schedule("diff", f"steps.{suffix}", "none", THREE_EPOCHS)[1:3],
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("steps: [1, 2]", "schedule: must be a Schedule (a node with its _target_), got None"),
        ("{steps: [1], schedule: {_target_: tl_search.plane.schedules.log.LogSchedule, log_base: 1}}",
         "schedule.log_base: must be > 1, got 1"),
        ("{steps: [1], schedule: {_target_: tl_search.plane.horizon.Horizon, total: 1}}",
         "schedule: must be a Schedule (a node with its _target_), got Horizon"),
        ("{steps: [1], schedule: {_target_: os.system, command: ls}}", "schedule._target_: "),
        ("{steps: many, schedule: {_target_: tl_search.plane.schedules.none.NoSchedule}}", "steps: must be a list"),
        ("{steps: [1], horizon: 3, schedule: {_target_: tl_search.plane.schedules.none.NoSchedule}}",
         "horizon: must be"),
    ],
)  # fmt: skip
def test_a_written_file_that_was_spoilt_is_one_line(refused, folder, content, message):
    (folder / "steps.yaml").write_text(content)
    assert refused("from=steps.yaml", "horizon.total=9").startswith(f"from: steps.yaml: {message}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("from=old.yaml output=./old.yaml", "output: must be another file than from, got old.yaml"),
        ("from=old.yaml schedule=linear", "schedule=linear: must be left out with from=old.yaml, whose schedule is"),
        ("from=old.yaml schedule.log_base=3", "schedule.log_base=3: must be left out with from=old.yaml"),
        (
            "diff log linear from=old.yaml",
            "from: must be left out with diff; name the file as A or B: diff log old.yaml",
        ),
    ],
)
def test_what_a_file_makes_useless_is_refused(refused, folder, words, message):
    (folder / "old.yaml").write_text("log_base: 2")
    assert refused(*words.split(), "horizon.total=9").startswith(message)


def test_a_file_that_names_a_schedule_by_its_former_module_is_read(schedule, folder):
    """As `output=` wrote it while all schedules were in one module."""
    (folder / "steps.yaml").write_text(
        "schedule:\n  _target_: tl_search.plane.schedule.EverySchedule\n  interval: 40\n"
        "  also: [{_target_: tl_search.plane.schedule.NoSchedule, checkpoint_schedule: [7]}]\n"
        "horizon: {total: 100, epoch_ends: [100]}\nsteps: [0, 7, 40, 80, 100]\n"
    )
    assert schedule("from=steps.yaml", "horizon.total=100")[0] == "Epoch 1 (0-100): 5 checkpoints: 0, 7, 40, 80, 100"
