"""One column on several devices: two processes on the CPU stand for two GPUs."""

import multiprocessing
import os
import signal

import pytest
from probe.tiny_models import make

from tl_search.errors.ranks import RankError
from tl_search.plane.extraction import Dtype, Extraction, FinalNorm
from tl_search.plane.revision import Revision
from tl_search.probe import ranks
from tl_search.probe.config import ProbeConfig, check_device
from tl_search.probe.embed import embed_column
from tl_search.store.arrays import ArrayStore

TEXTS = [f"text {number}, " + "x" * (number * 7 % 23) for number in range(60)]
NORMALISED = Extraction(FinalNorm.last_only, normalise=True, dtype=Dtype.float32)


@pytest.fixture(scope="module", autouse=True)
def _ended():
    yield
    ranks.forget()


def column(folder, store, devices, texts=TEXTS, weights="w"):
    """The bytes of a column's file."""
    store = ArrayStore(store)
    config = ProbeConfig("cpu", devices=devices, tokens_per_batch=100)
    key = embed_column(Revision("step7", 7, None, weights, "t"), folder, texts, NORMALISED, config, store)
    return store.path(key).read_bytes()


def others():
    return {process.pid for process in multiprocessing.active_children() if process.name.startswith("probe rank")}


def test_two_devices_give_the_bytes_of_one_column_after_column(tmp_path):
    seen = set()
    for number, family in enumerate(["gpt_neox", "gpt_neox", "mamba"]):  # packed, swapped in, padded
        folder = make(tmp_path / str(number), family, seed=number)
        one = column(folder, tmp_path / "one", 1, weights=folder.name)
        assert column(folder, tmp_path / "two", 2, weights=folder.name) == one
        seen |= others()
    assert len(seen) == 1  # the second process lives on


def test_more_devices_than_batches_leave_some_idle(tmp_path):
    folder = make(tmp_path / "model")
    assert column(folder, tmp_path / "two", 2, ["one text"]) == column(folder, tmp_path / "one", 1, ["one text"])


def test_a_mistake_that_only_another_device_meets_is_told_as_itself(tmp_path):
    column(make(tmp_path / "first", seed=4), tmp_path / "zero", 2)  # the other process has a model to swap weights in
    folder = make(tmp_path / "model", seed=5)
    column(folder, tmp_path / "one", 1)  # this process has the weights now
    (folder / "model.safetensors").write_bytes(b"<html>not found</html>")
    with pytest.raises(ValueError, match=r"model\.safetensors: damaged") as caught:
        column(folder, tmp_path / "two", 2)
    assert "\n" not in str(caught.value)
    assert not others()
    assert not list((tmp_path / "two").glob("??/*"))  # nothing half-written


@pytest.mark.slow
def test_a_process_that_is_killed_fails_the_column_and_the_next_one_has_a_new_one(tmp_path):
    with pytest.raises(RankError, match="rank 1 was killed by signal 9"), ranks.working(_die, 2):
        pass
    assert not others()
    folder = make(tmp_path / "model")
    assert column(folder, tmp_path / "two", 2) == column(folder, tmp_path / "one", 1)


def _die(rank):
    os.kill(os.getpid(), signal.SIGKILL)


def _bug(rank):
    return {}["key"]


@pytest.mark.slow
def test_a_bug_of_another_device_brings_its_traceback():
    story = r"rank 1 failed:\nTraceback(.|\n)*in _bug(.|\n)*KeyError: 'key'"
    with pytest.raises(RankError, match=story), ranks.working(_bug, 2):
        pass


def test_an_error_here_ends_the_others_at_once():
    def work():
        with ranks.working(_sleep, 2):
            assert others()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert not others()


def _sleep(rank):
    signal.pause()


@pytest.mark.parametrize(
    ("config", "there", "message"),
    [
        (ProbeConfig("cuda", devices=4), 2, r"probe\.devices: must be between 1 and 2 \(there are 2 GPUs\), got 4"),
        (ProbeConfig("auto", devices=2), 0, r"probe\.devices: must be 1 \(there are 0 GPUs\), got 2"),
        (ProbeConfig("cpu", devices=1000), 0, r"probe\.devices: must be .* \(there are \d+ CPU cores\), got 1000"),
        (ProbeConfig("gpu", devices=2), 0, "probe.accelerator: no CUDA or MPS device here"),
    ],
)
def test_more_devices_than_there_are_is_told_at_once(monkeypatch, config, there, message):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: there > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=message):
        check_device(config)


def test_as_many_devices_as_there_are_are_taken(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for accelerator in ("auto", "cuda", "gpu"):
        check_device(ProbeConfig(accelerator, devices=2))
