"""A logger is told a run's settings once: TensorBoard sorts runs by them, whatever was killed and resumed."""

from dataclasses import replace

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tiny_run import At, PowerCut, cut, plan

from tl_search.runs.record import RunRecord
from tl_search.training.callbacks.settings_card import SettingsCard, hyperparameters
from tl_search.training.fit import fit
from tl_search.training.loggers import TensorBoard


def events(run):
    return EventAccumulator(str(run / "tensorboard")).Reload()


def cards(found):
    """(step, text) of each."""
    shown = found.Tensors("config/text_summary")
    return [(card.step, card.tensor_proto.string_val[0].decode()) for card in shown]


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """A run of six steps that was cut off before its first state, then after it."""
    folder = tmp_path_factory.mktemp("card")
    asked = plan(folder, logger={"tensorboard": TensorBoard()}, trainer={"max_steps": 6})
    RunRecord("train", "x", "x", tags=("baseline", "seed0")).write(folder / "run")
    for step in (2, 5):
        with pytest.raises(PowerCut):
            fit(replace(asked, callbacks={"cut": At(step, cut)}), folder / "run")
    fit(asked, folder / "run")
    return folder / "run"


def test_the_card_holds_the_settings_as_yaml_once(resumed):
    ((step, text),) = cards(events(resumed))
    assert step == 0
    fence, *lines, end = text.splitlines()
    assert (fence, end) == ("```yaml", "```")
    assert yaml.safe_load("\n".join(lines))["trainer"]["max_steps"] == 6


def test_runs_sort_by_their_settings_and_their_losses(resumed):
    found = events(resumed)
    told = found.PluginTagToContent("hparams")
    parse = HParamsPluginData.FromString
    settings = parse(told["_hparams_/session_start_info"]).session_start_info.hparams
    assert settings["model.width"].number_value == 16
    assert settings["tags"].string_value == "baseline, seed0"
    names = [info.name.tag for info in parse(told["_hparams_/experiment"]).experiment.metric_infos]
    assert names == ["eval/loss", "eval/best_loss", "train/loss"]
    curves = {name: [point.step for point in found.Scalars(name)] for name in found.Tags()["scalars"]}
    assert curves["eval/loss"] == sorted(set(curves["eval/loss"]))  # no point of its own, none twice
    assert "hp_metric" not in curves


def test_settings_that_changed_are_a_card_of_their_own(tmp_path):
    class Listener:
        def __init__(self):
            self.told = []

        def log_hyperparams(self, params):
            self.told.append(params)

        def save(self):
            pass

    class Trainer:
        loggers = (Listener(),)
        global_step = 4

    card = SettingsCard("seed: 0")
    card.on_train_start(Trainer, None)
    for settings in ("seed: 0", "seed: 1"):
        after = SettingsCard(settings)
        after.load_state_dict(card.state_dict())
        after.on_train_start(Trainer, None)
    assert Trainer.loggers[0].told == [{"seed": 0}, {"seed": 1}]


def test_only_numbers_and_words_are_settings_to_sort_by():
    settings = "seed: 1\nruns: /home\noptimizer: {_target_: x.AdamW, lr: 0.5, betas: [0.9], none: null, fast: true}\n"
    assert hyperparameters(settings, ["a", "b"]) == {
        **{"seed": 1, "optimizer.lr": 0.5, "optimizer.fast": True, "tags": "a, b"},
    }
