"""How long a run will be: exact from the packed text, else an estimate that says so."""

import warnings
from dataclasses import replace

import pytest
from tiny_run import plan

from tl_search.plane.horizon import Horizon
from tl_search.plane.schedules.every import EverySchedule
from tl_search.plane.schedules.explicit import ExplicitSchedule
from tl_search.text.hub import HubDataset
from tl_search.training.callbacks.best import Best
from tl_search.training.estimate import (
    best_kept,
    machine_speed,
    revision_bytes,
    state_bytes,
    states_kept,
    vocabulary,
)
from tl_search.training.families.pythia import Pythia
from tl_search.training.horizon import horizon_of, measure_epoch, scheduled_steps, timeline_of
from tl_search.training.retention import Checkpointing
from tl_search.training.tokens import ByteTokenizer, PretrainedTokenizer, TrainedTokenizer


@pytest.mark.parametrize("trainer", [{"max_steps": 9}, {"max_steps": 9, "accumulate_grad_batches": 3}])
@pytest.mark.parametrize("drop_last", [True, False])
def test_an_epoch_has_the_steps_that_training_will_take(tmp_path, trainer, drop_last):
    planned = plan(tmp_path, trainer=trainer)
    planned = replace(planned, data=replace(planned.data, drop_last=drop_last))
    packed = planned.data.pack(planned.tokenizer, tmp_path / "cache")
    loader = planned.loader(packed)
    epoch = measure_epoch(planned)
    assert (epoch.steps, epoch.estimate) == (loader.steps, None)
    predicted = next(iter(loader))[:, 1:].numel() * planned.batches_per_step
    assert timeline_of(planned, Horizon(9), epoch.steps).tokens_at(9) == 9 * predicted
    assert epoch.vocabulary == len(packed.tokenizer)


def test_several_devices_make_an_epoch_shorter(tmp_path):
    one = measure_epoch(plan(tmp_path, trainer={"max_steps": 9})).steps
    assert measure_epoch(plan(tmp_path, trainer={"max_steps": 9, "devices": 2})).steps == one // 2


def test_measuring_leaves_nothing_on_disk(tmp_path):
    planned = replace(plan(tmp_path), cache=tmp_path / "absent")
    before = sorted(tmp_path.rglob("*"))
    measure_epoch(planned)
    assert sorted(tmp_path.rglob("*")) == before


def test_too_little_text_for_a_step_is_said(tmp_path):
    planned = plan(tmp_path)
    with pytest.raises(ValueError, match=r"^data: must fill a step"):
        measure_epoch(replace(planned, data=replace(planned.data, batch_size=10**6)))


@pytest.fixture
def dataset(tmp_path):
    """A dataset of 50 documents of 40 bytes each."""
    folder = tmp_path / "books"
    folder.mkdir()
    (folder / "train.jsonl").write_text(('{"text": "' + "a" * 40 + '"}\n') * 50)
    return str(folder)


def test_a_stream_is_glimpsed_without_the_rest(dataset):
    documents, total = HubDataset(dataset).glimpse(3)
    assert documents == ["a" * 40] * 3
    assert total is None
    with pytest.raises(ValueError, match=r"data\.corpus\.column: must be one of text, got 'words'"):
        HubDataset(dataset, column="words").glimpse(3)


@pytest.mark.parametrize(
    ("glimpse", "steps", "words"),
    [
        ((["a" * 39] * 10, 1000), 1000 * 40 // 16 // 8, "from the first 10 of 1000 documents"),
        ((["a" * 39] * 10, None), None, "nobody says how many"),
        (ConnectionError("no route to host"), None, "does not answer: no route to host"),
    ],
)
def test_a_remote_dataset_is_estimated_from_its_first_documents(tmp_path, monkeypatch, glimpse, steps, words):
    def answer(self: HubDataset, count: int) -> object:
        if isinstance(glimpse, Exception):
            raise glimpse
        return glimpse

    monkeypatch.setattr(HubDataset, "glimpse", answer)
    planned = plan(tmp_path)
    text = replace(planned.data, corpus=HubDataset("owner/books"), batch_size=8, validation_share=0.0)
    model = replace(planned.model, context=16)
    planned = replace(planned, data=text, model=model, tokenizer=ByteTokenizer(), trainer={"max_steps": 700})
    epoch = measure_epoch(planned)
    assert words in str(epoch.estimate)
    assert epoch.steps is None if steps is None else epoch.steps == pytest.approx(steps, abs=1)
    assert horizon_of(planned, epoch.steps).total == 700
    planned = replace(planned, tokenizer=TrainedTokenizer(vocab_size=5000))
    assert measure_epoch(planned).vocabulary == (None if isinstance(glimpse, Exception) else 5000)


def test_a_length_in_epochs_needs_one_that_is_known(tmp_path):
    planned = plan(tmp_path, trainer={"max_steps": None, "max_epochs": 3})
    assert horizon_of(planned, 40) == Horizon(120, (40, 80, 120))
    with pytest.raises(ValueError, match=r"^trainer\.max_steps: must be given"):
        horizon_of(planned, None)


@pytest.mark.parametrize("steps", [10**9, 10**12])
def test_absurdly_many_epochs_are_refused_before_they_are_counted_out(tmp_path, steps):
    planned = plan(tmp_path, trainer={"max_steps": steps})
    with pytest.raises(
        ValueError, match=rf"^trainer\.max_steps: must be at most 100000 epochs of 6 steps, got {steps}"
    ):
        horizon_of(planned, 6)
    assert horizon_of(planned, None) == Horizon(steps)


def test_the_longest_run_that_is_given_both_ways_ends_at_the_shorter(tmp_path):
    planned = plan(tmp_path, trainer={"max_steps": 100, "max_epochs": 3})
    assert horizon_of(planned, 40) == Horizon(100, (40, 80, 100))


def test_an_interval_longer_than_the_epoch_is_warned_of():
    with pytest.warns(UserWarning, match=r"^schedule\.min_checkpoint_interval: 50 steps are more"):
        assert scheduled_steps(EverySchedule(1, min_checkpoint_interval=50), Horizon(40)) == (0, 40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduled_steps(EverySchedule(1, min_checkpoint_interval=5), Horizon(40))


def test_a_listed_step_beyond_the_run_names_the_setting():
    with pytest.raises(ValueError, match=r"^schedule\.checkpoint_schedule\[1\]: must be at most the run's last step"):
        scheduled_steps(ExplicitSchedule(checkpoint_schedule=(3, 50)), Horizon(40))


def test_parameters_are_those_of_the_model(tmp_path):
    planned = plan(tmp_path)
    for multiple in (1, 64):
        shape = replace(planned.model, vocabulary_multiple=multiple)
        tokenizer = ByteTokenizer().build()
        assert shape.parameters(len(tokenizer)) == shape.build(tokenizer, 0).num_parameters()


def test_bytes_and_states_follow_from_the_plan(tmp_path):
    assert (revision_bytes(1000), state_bytes(1000, ema=False), state_bytes(1000, ema=True)) == (4000, 12000, 16000)
    planned = replace(plan(tmp_path), checkpoint=Checkpointing(save_last=2, every_n_scheduled=2))
    assert (best_kept(planned), states_kept(planned, (0, 2, 6, 14, 30))) == ((1, 1), 2 + 1 + 2)
    several = {"best": Best(save_top_k=3), "other": Best("eval/perplexity"), "off": None}
    planned = replace(planned, callbacks=several)
    assert (best_kept(planned), states_kept(planned, (0, 2, 6, 14, 30))) == ((2, 4), 2 + 4 + 2)


def test_operations_are_six_per_multiplied_parameter_and_those_of_attention():
    model = Pythia(width=16, blocks=2, heads=2, context=32)
    looked_up = 16 * 257
    assert model.flops_per_token(257) == 6 * (model.parameters(257) - looked_up) + 12 * 2 * 16 * 32


def test_a_vocabulary_is_known_from_settings_where_they_say_it():
    assert vocabulary(ByteTokenizer()) == 257
    assert vocabulary(TrainedTokenizer(vocab_size=500)) == 500
    assert vocabulary(PretrainedTokenizer("owner/name")) is None


def test_the_machine_multiplies_at_some_speed():
    assert machine_speed({"accelerator": "cpu"}, seconds=0.01) > 1e8
