"""The step line: every number on it is what it is called."""

import re
from types import SimpleNamespace

import pytest
from lightning.pytorch import Callback
from tiny_run import EPOCH, At, PowerCut, cut, plan

from tl_search.runs.index import read_index
from tl_search.training.callbacks import progress_lines
from tl_search.training.callbacks.evaluation import perplexity
from tl_search.training.callbacks.progress import Progress
from tl_search.training.fit import fit

LINE = re.compile(
    r"step (?P<step>\d+)/14  loss (?P<loss>\S+)( \(eval (?P<eval>\S+)\))?  (perplexity (?P<perplexity>\S+)  )?"
    r"lr (?P<lr>\S+)  (?P<tokens>\S+) tokens/s  (?P<left>\S+) left"
)


class Seen(Callback):
    """What a step gave: the loss and its terms, and the rate of the next one."""

    def __init__(self):
        self.steps = {}

    def on_train_batch_end(self, trainer, module, outputs, *_):
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.steps[trainer.global_step] = {name: float(value) for name, value in outputs.items()} | {"lr": rate}


@pytest.fixture
def clock(monkeypatch):
    """Two seconds pass between looks at it: at the start of the training, and once a step."""
    looks = iter(range(0, 1000, 2))
    monkeypatch.setattr(progress_lines, "time", SimpleNamespace(monotonic=lambda: next(looks)))


def lines(said):
    """Of every step that has a line, what it says."""
    found = [match.groupdict() for match in map(LINE.fullmatch, said.splitlines()) if match]
    return {int(values["step"]): values for values in found}


def test_loss_perplexity_and_rate_are_those_of_the_step(tmp_path, capsys):
    seen = Seen()
    fit(plan(tmp_path, callbacks={"seen": seen, "progress": Progress(seconds=1e-9)}), tmp_path / "run")
    said = lines(capsys.readouterr().err)
    assert [*said] == [*seen.steps] == [*range(1, 15)]
    for step, was in seen.steps.items():
        assert said[step]["loss"] == f"{was['loss']:.3f}"
        assert said[step]["perplexity"] == f"{perplexity(was['next_token']):,.1f}"
        assert said[step]["lr"] == f"{was['lr']:.1e}"
        # from step 5 on the curriculum adds a term, which is no part of the perplexity
        assert (was["loss"] - was["next_token"] > 0.1) == (step > 5)
    assert len({values["loss"] for values in said.values()}) > 5
    losses = {line.step: line.eval_loss for line in read_index(tmp_path / "run")}
    assert {step: said[step]["eval"] for step in (2, 7, 14)} == {step: f"{losses[step]:.3f}" for step in (2, 7, 14)}


@pytest.mark.parametrize("accumulate", [1, 2])
def test_speed_and_time_left_follow_the_clock(tmp_path, capsys, clock, accumulate):
    wait = 2 * accumulate  # seconds of a step: the clock is looked at once a batch
    fit(
        plan(
            tmp_path,
            callbacks={"progress": Progress(seconds=1e-9)},
            trainer={"accumulate_grad_batches": accumulate},
        ),
        tmp_path / "run",
    )
    err = capsys.readouterr().err
    said = lines(err)
    assert len(LINE.findall(err)) == len(said) == 14  # one a step, not one a batch
    for step in (1, 5, 14):
        assert said[step]["tokens"] == "32"  # 64 a batch
        assert said[step]["left"] == f"{(14 - step) * wait // 60}:{(14 - step) * wait % 60:02}"


def test_a_run_that_goes_on_counts_its_own_steps_only(tmp_path, capsys, clock):
    with pytest.raises(PowerCut):
        fit(plan(tmp_path, callbacks={"cut": At(9, cut)}, save_interval=EPOCH), tmp_path / "run")
    capsys.readouterr()
    fit(plan(tmp_path, callbacks={"progress": Progress(seconds=1e-9)}, save_interval=EPOCH), tmp_path / "run")
    said = capsys.readouterr().err
    assert "continuing from step 6" in said
    assert (lines(said)[8]["tokens"], lines(said)[8]["left"]) == ("32", "0:12")


def test_hours_are_told_apart_from_minutes(tmp_path, capsys, monkeypatch):
    looks = iter(range(0, 10**6, 600))
    monkeypatch.setattr(progress_lines, "time", SimpleNamespace(monotonic=lambda: next(looks)))
    fit(plan(tmp_path, callbacks={"progress": Progress(seconds=1e-9)}), tmp_path / "run")
    said = lines(capsys.readouterr().err)
    assert (said[1]["left"], said[12]["left"]) == ("2:10:00", "20:00")
