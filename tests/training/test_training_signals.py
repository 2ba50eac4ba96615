"""A signal before the first step ends the run at once; one after the last step, when the run is done."""

import json
import os
import signal
import time
from dataclasses import dataclass, field, replace

import pytest
import torch
from lightning.pytorch import Callback
from tiny_run import corpus, plan, same, weights

from tl_search.text.files import TextFiles
from tl_search.training.fit import fit
from tl_search.training.tokens import TrainedTokenizer

ENDS = [(signal.SIGINT, KeyboardInterrupt, None), (signal.SIGTERM, SystemExit, 143), (signal.SIGUSR1, SystemExit, 75)]


def tell(number):
    os.kill(os.getpid(), number)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@dataclass(frozen=True)
class Interrupted(TextFiles):
    """A signal comes when the text is being read for the second time, which is to make tokens of it."""

    number: int = signal.SIGTERM
    read: list = field(default_factory=list)

    def documents(self):
        self.read.append(0)
        for document in super().documents():
            if len(self.read) == 2:
                tell(self.number)
            yield document


@pytest.mark.parametrize(("number", "raised", "code"), ENDS)
@pytest.mark.parametrize("trained", [False, True], ids=["tokens", "tokenizer"])
def test_a_signal_while_text_is_prepared_ends_the_run_at_once(tmp_path, capfd, number, raised, code, trained):
    before = signal.getsignal(number)
    text = Interrupted(str(corpus(tmp_path / "corpus")), number)
    asked = plan(tmp_path, **({"tokenizer": TrainedTokenizer(260)} if trained else {}))
    with pytest.raises(raised) as stop:
        fit(replace(asked, data=replace(asked.data, corpus=text)), tmp_path / "run")
    assert getattr(stop.value, "code", None) == code
    assert signal.getsignal(number) == before
    assert len(text.read) == 2
    assert not [name for name in files(tmp_path / "run") if name.startswith(("cache", "revisions", "checkpoints"))]
    assert "saving" not in capfd.readouterr().err


def test_a_schedulers_warning_while_text_is_prepared_is_handed_on_once(tmp_path):
    heard = []
    before = signal.signal(signal.SIGUSR2, lambda number, _: heard.append(number))
    text = Interrupted(str(corpus(tmp_path / "corpus")), signal.SIGUSR2)
    try:
        with pytest.raises(SystemExit) as stop:
            fit(replace(plan(tmp_path), data=replace(plan(tmp_path).data, corpus=text)), tmp_path / "run")
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert (stop.value.code, heard) == (75, [signal.SIGUSR2])


@pytest.mark.parametrize(("number", "raised", "code"), ENDS)
def test_a_signal_while_lightning_starts_ends_the_run_at_once(tmp_path, number, raised, code):
    class Early(Callback):
        def setup(self, *_, **__):
            tell(number)
            raise AssertionError("it went on")

    with pytest.raises(raised) as stop:
        fit(plan(tmp_path, callbacks={"early": Early()}), tmp_path / "run")
    assert getattr(stop.value, "code", None) == code


@pytest.mark.parametrize("hook", ["on_train_end", "teardown"])
@pytest.mark.parametrize(("number", "raised", "code"), ENDS)
@pytest.mark.slow_but_every(3)
def test_a_signal_after_the_last_step_is_heeded_once_the_run_is_done(
    finished, tmp_path, capfd, number, raised, code, hook
):
    run, late, heard = tmp_path / "run", Callback(), []
    setattr(late, hook, lambda *_, **__: tell(number))
    before = signal.getsignal(number)
    if code == 75:
        signal.signal(number, lambda received, _: heard.append((received, (run / "DONE.json").exists())))
    try:
        with pytest.raises(raised) as stop:
            fit(plan(finished.parent, callbacks={"late": late}), run)
    finally:
        signal.signal(number, before)
    assert getattr(stop.value, "code", None) == code
    assert heard == ([(number, True)] if code == 75 else [])
    assert json.loads((run / "DONE.json").read_text()) == json.loads((finished / "DONE.json").read_text())
    assert same(weights(run), weights(finished))
    assert "finishing the run, whose last step is done; a second signal stops the run at once" in capfd.readouterr().err
    assert fit(plan(finished.parent), run) is None  # it is done, and nobody asks any more


@pytest.mark.parametrize("step", [5, 7], ids=["between-revisions", "of-a-revision"])
def test_a_signal_while_the_last_state_is_being_written_waits_for_it(finished, tmp_path, monkeypatch, step):
    run, save = tmp_path / "run", torch.save

    def told(state, file):
        if state["global_step"] == step:
            tell(signal.SIGTERM)
        save(state, file)

    class Stop(Callback):
        def on_train_batch_end(self, trainer, *_):
            if trainer.global_step == step:
                trainer.should_stop = True

    monkeypatch.setattr(torch, "save", told)
    with pytest.raises(SystemExit) as stop:
        fit(plan(finished.parent, callbacks={"stop": Stop()}, save_interval=step), run)
    assert stop.value.code == 143
    assert (run / "checkpoints" / f"step{step}" / "MANIFEST.json").exists()


class Late(Callback):
    """Tells the process that started the ranks to stop, after the last step."""

    def on_train_end(self, trainer, *_):
        if trainer.is_global_zero:
            os.kill(os.getppid(), signal.SIGTERM)
            time.sleep(0.3)  # until it has passed that on


@pytest.mark.slow
def test_ranks_that_hear_of_a_signal_after_the_last_step_finish_the_run_too(tmp_path):
    two = {"devices": 2, "max_steps": 2}
    with pytest.raises(SystemExit) as stop:
        fit(plan(tmp_path, trainer=two, callbacks={"late": Late()}), tmp_path / "run")
    assert stop.value.code == 143
    assert json.loads((tmp_path / "run" / "DONE.json").read_text())["step"] == 2
