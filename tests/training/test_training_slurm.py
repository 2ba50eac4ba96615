"""A run that SLURM has started: its warning is the run's to answer, and requeueing is the launcher's."""

import os
import signal

import pytest
from lightning.pytorch import Callback
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.plugins.environments import SLURMEnvironment
from tiny_run import At, plan, same, weights

from tl_search.training.evaluate import evaluate
from tl_search.training.fit import fit
from tl_search.training.module import CausalLM
from tl_search.training.trainer import make_trainer

JOB = {"JOB_ID": "1234", "JOB_NAME": "run", "NTASKS": "1", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}


@pytest.fixture
def requeued(tmp_path, monkeypatch):
    """A file that is there once somebody has called `scontrol` from within this job."""
    scontrol, called = tmp_path / "scontrol", tmp_path / "called"
    scontrol.write_text(f"#!/bin/sh\ntouch {called}\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for name, value in JOB.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert SLURMEnvironment.detect()
    return called


def test_a_warning_saves_the_step_and_the_job_is_not_requeued_from_within(finished, tmp_path, requeued):
    run = tmp_path / "run"
    warned = At(7, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    with pytest.raises(SystemExit) as stop:
        fit(plan(finished.parent, callbacks={"warned": warned}), run)
    assert stop.value.code == 75
    assert sorted(path.name for path in (run / "checkpoints").iterdir() if path.is_dir()) == ["step4", "step7"]
    assert not requeued.exists()
    fit(plan(finished.parent), run)
    assert same(weights(run), weights(finished))


def test_lightning_puts_up_no_handler_of_the_warning(tmp_path, requeued):
    """Its own trains on after it has saved, until the job is killed, and queues it a second time."""

    class Early(Callback):
        def on_train_start(self, *_):
            told.append(signal.getsignal(signal.SIGUSR1))

    told, before = [], signal.getsignal(signal.SIGUSR1)
    given = {"accelerator": "cpu", "enable_checkpointing": False}
    make_trainer(given, tmp_path, 1, [Early()], []).fit(BoringModel())
    assert told == [before]


def test_nor_does_it_while_a_revision_is_evaluated(finished, monkeypatch, requeued):
    told, before = [], signal.getsignal(signal.SIGUSR1)
    monkeypatch.setattr(CausalLM, "on_predict_start", lambda _: told.append(signal.getsignal(signal.SIGUSR1)))
    assert evaluate(plan(finished.parent), finished, "main").agrees
    assert told == [before]
