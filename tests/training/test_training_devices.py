"""Several ranks on one machine: the same run as on one device with a batch as large as theirs together."""

import json
import os
import signal
import threading
import time
from dataclasses import replace
from functools import partial

import pytest
import torch
from tiny_run import PLAN, corpus, plan, same, weights

from tl_search.errors.kinds import DivergedError
from tl_search.errors.ranks import RankError
from tl_search.plane.schedules.linear import LinearSchedule
from tl_search.runs.index import index_of
from tl_search.text.files import TextFiles
from tl_search.training.data import BlockLoader
from tl_search.training.families.pythia import Pythia
from tl_search.training.fit import fit
from tl_search.training.loggers import TensorBoard
from tl_search.training.ranks import start_ranks
from tl_search.training.retention import Checkpointing
from tl_search.training.trainer import device_count

TWO = {"devices": 2, "max_steps": 5}


def small(tmp_path, **changes):
    """No dropout, whose noise is each rank's own."""
    made = plan(tmp_path, model=Pythia(width=16, blocks=1, heads=2, context=16), **changes)
    ranks = made.devices
    return replace(made, data=replace(made.data, batch_size=4 // ranks, validation_batches=2 * ranks))


def fail(rank: int, error: BaseException, failing: int) -> None:
    if rank == failing:
        raise error
    signal.pause()


def die(rank: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait_to_be_told(rank: int, folder) -> None:
    (folder / str(rank)).touch()
    signal.pause()


@pytest.mark.slow
def test_two_ranks_train_as_one_device_with_twice_the_batch_and_resume_exactly(tmp_path):
    fit(small(tmp_path, trainer={"max_steps": 5}), tmp_path / "one")
    fit(small(tmp_path, trainer=TWO), tmp_path / "two")
    for name in ("step0", "main"):
        one, two = weights(tmp_path / "one", name), weights(tmp_path / "two", name)
        assert all(torch.allclose(one[key], two[key], atol=1e-5) for key in one)
    first, second = (index_of(tmp_path / run).records() for run in ("one", "two"))
    assert [(line["step"], line["tokens"]) for line in first] == [(line["step"], line["tokens"]) for line in second]
    assert [line["eval_loss"] for line in first] == pytest.approx([line["eval_loss"] for line in second], abs=1e-4)


@pytest.mark.slow
def test_ranks_that_were_told_to_stop_go_on_to_the_same_bits(tmp_path):
    fit(small(tmp_path, trainer=TWO), tmp_path / "whole")
    run = tmp_path / "run"

    def tell():
        while not (run / "revisions" / "step2" / "MANIFEST.json").exists():
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=tell, daemon=True).start()
    with pytest.raises(SystemExit) as stop:
        fit(small(tmp_path, trainer=TWO), run)
    assert stop.value.code == 143
    assert not (run / "DONE.json").exists()
    assert list((run / "checkpoints").glob("step*"))
    fit(small(tmp_path, trainer=TWO), run)
    assert same(weights(run), weights(tmp_path / "whole"))


@pytest.mark.slow
@pytest.mark.parametrize("failing", [0, 1])
def test_the_error_of_any_rank_is_the_runs_own(monkeypatch, failing):
    monkeypatch.setattr("tl_search.training.ranks._GRACE", 0.5)
    error = OSError(28, "No space left on device", "x")
    with pytest.raises(OSError, match="No space left") as failed:
        start_ranks(partial(fail, error=error, failing=failing), 2)
    assert failed.value.errno == 28
    with pytest.raises(RankError, match=r"rank \d failed:\n.*Traceback(.|\n)*nobody wrote this for a person"):
        start_ranks(partial(fail, error=ValueError("nobody wrote this for a person"), failing=failing), 2)


@pytest.mark.slow
def test_a_rank_that_is_killed_ends_the_run():
    with pytest.raises(RankError, match="was killed by signal 9"):
        start_ranks(die, 2)


@pytest.mark.slow
def test_a_signal_reaches_every_rank_and_the_one_it_was_meant_for(tmp_path):
    heard = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: heard.append(number))

    def tell():
        while not all((tmp_path / str(rank)).exists() for rank in range(2)):
            pass
        os.kill(os.getpid(), signal.SIGUSR2)

    threading.Thread(target=tell, daemon=True).start()
    try:
        with pytest.raises(SystemExit) as stop:
            start_ranks(partial(wait_to_be_told, folder=tmp_path), 2)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert stop.value.code == 75
    assert heard == [signal.SIGUSR2]


def test_ranks_cut_the_same_order_into_parts():
    import numpy as np

    tokens = np.arange(121, dtype=np.uint16)
    whole = BlockLoader(tokens, 5, 4, 2, seed=0)
    parts = [BlockLoader(tokens, 5, 2, 2, seed=0, rank=rank, ranks=2) for rank in (0, 1)]
    assert [len(part) for part in parts] == [len(whole)] * 2 == [6, 6]
    for batch, first, second in zip(whole, *parts, strict=True):
        assert torch.equal(batch, torch.cat([first, second]))


@pytest.mark.parametrize(
    ("devices", "count"), [(1, 1), ("1", 1), ("auto", 1), (None, 1), ([0], 1), ([3], 1), ([0, 1], 2), (2, 2), ("4", 4)]
)
def test_devices_are_counted_however_they_are_written(devices, count):
    assert device_count({"devices": devices}) == count


@pytest.mark.parametrize("devices", [0, -1, "all", [], [-1], 1.5, "0"])
def test_what_is_no_number_of_devices_is_refused(devices):
    with pytest.raises(ValueError, match=r"^trainer\.devices: must be a number >= 1"):
        device_count({"devices": devices})


def test_several_devices_are_another_run_and_one_is_the_same_however_it_is_written(tmp_path):
    def identity(**trainer):
        return plan(tmp_path, trainer=trainer).identity()

    assert identity(devices="auto") == identity(devices=[0]) == identity() != identity(devices=2)
    assert identity(devices=2) == identity(devices=[0, 1])


def test_half_precision_is_refused_on_a_cpu_before_anything_starts():
    for precision in ("16-mixed", "16-true"):
        with pytest.raises(ValueError, match=r"^trainer\.precision: must be 32-true, bf16-mixed.* got 16"):
            replace(PLAN, trainer={**PLAN.trainer, "precision": precision})


def test_half_precision_is_refused_where_the_machine_only_has_a_cpu(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ValueError, match=r"^trainer\.precision: must be"):
        fit(plan(tmp_path, trainer={"accelerator": "auto", "precision": "16-mixed"}), tmp_path / "run")


def test_an_epoch_may_read_every_block(tmp_path):
    text = replace(PLAN.data, corpus=TextFiles(str(corpus(tmp_path / "corpus"))), batch_size=7)  # 25 blocks
    for drop_last, steps in ((True, 3), (False, 4)):
        run = tmp_path / str(drop_last)
        fit(plan(tmp_path, data=replace(text, drop_last=drop_last), trainer={"max_steps": -1, "max_epochs": 1}), run)
        assert index_of(run).records()[-1]["step"] == steps


def test_a_diverging_run_names_step_blocks_and_the_last_good_checkpoint(tmp_path):
    from tl_search.training.callbacks.finite_loss import FiniteLoss
    from tl_search.training.optim import AdamW

    wild = plan(
        tmp_path,
        optimizer=AdamW(lr=1e30, warmup_steps=0),
        callbacks={"finite": FiniteLoss(patience=1)},
        save_interval=1,
    )
    wild = replace(wild, schedule=LinearSchedule(None, 14), eval_interval=14)
    story = (
        r"the loss was not finite, at step 2 \(epoch 0, batch 1: blocks \d+, \d+, \d+, \d+\); "
        r"the last good checkpoint is .*/checkpoints/step1; "
    )
    with pytest.raises(DivergedError, match="^training diverged: " + story):
        fit(wild, tmp_path / "run")


def test_weights_that_are_saved_before_three_losses_are_bad_tell_the_same_story(tmp_path):
    from tl_search.training.callbacks.finite_loss import FiniteLoss
    from tl_search.training.optim import AdamW

    wild = plan(
        tmp_path,
        optimizer=AdamW(lr=1e30, warmup_steps=0),
        callbacks={"finite": FiniteLoss(patience=3)},
        checkpoint=Checkpointing(save_interval=1, asynchronous=False),
    )
    wild = replace(wild, schedule=LinearSchedule(None, 14), eval_interval=14)
    story = r"the weights after step 2 are not finite \(epoch 0, batch 1: blocks .*\); the last good .*/step1; a lower"
    with pytest.raises(DivergedError, match="^training diverged: " + story):
        fit(wild, tmp_path / "run")


def terminate(rank: int) -> None:
    if rank == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    signal.pause()


@pytest.mark.slow
def test_a_rank_that_is_gone_takes_the_others_with_it(monkeypatch):
    monkeypatch.setattr("tl_search.training.ranks._GRACE", 0.5)
    with pytest.raises(SystemExit) as stop:
        start_ranks(terminate, 2)
    assert stop.value.code == 143


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_while_ranks_are_started_reaches_those_that_come_later(monkeypatch, number, raised):
    from multiprocessing.context import SpawnProcess

    started, start = [], SpawnProcess.start

    def told(process):
        start(process)
        started.append(process)
        if len(started) == 1:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(SpawnProcess, "start", told)
    with pytest.raises(raised):
        start_ranks(wait_for_ever, 2)
    assert len(started) == 2


def wait_for_ever(rank: int) -> None:
    while True:
        signal.pause()


@pytest.mark.slow
def test_three_ranks_keep_one_best_and_go_on_to_the_same_curves(tmp_path):
    from test_training_log import CLOCKS, curves

    asked = {"trainer": {"devices": 3, "max_steps": 5}, "logger": {"tensorboard": TensorBoard()}, "save_interval": 1}
    fit(small(tmp_path, **asked), tmp_path / "whole")
    run = tmp_path / "run"

    def tell():
        while not any((run / "checkpoints").glob("step[1-9]")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=tell, daemon=True).start()
    with pytest.raises(SystemExit):
        fit(small(tmp_path, **asked), run)
    fit(small(tmp_path, **asked), run)
    assert same(weights(run), weights(tmp_path / "whole"))
    pointers = [json.loads((folder / "checkpoints" / "best.json").read_text()) for folder in (run, tmp_path / "whole")]
    assert pointers[0] == pointers[1]
    assert pointers[0]["value"] == min(line["eval_loss"] for line in index_of(run).records())
    whole, resumed = curves(tmp_path / "whole"), curves(run)
    assert all(resumed[name] == whole[name] for name in whole.keys() - CLOCKS)
