"""One column on several devices: two processes on the CPU stand for two GPUs."""

import multiprocessing
import os
import signal

import pytest
from probe.tiny_models import make

from tl_search.errors.ranks import RankError
from tl_search.plane.extraction import Dtype, Extraction, FinalNorm
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig, check_device
from tl_search.probe.embed import column_vectors, embed_column
from tl_search.probe.session import ProbeSession
from tl_search.store.arrays import ArrayStore

TEXTS = [f"text {number}, " + "x" * (number * 7 % 23) for number in range(60)]
NORMALISED = Extraction(FinalNorm.last_only, normalise=True, dtype=Dtype.float32)


@pytest.fixture(scope="module")
def sessions():
    """By the number of devices."""
    with ProbeSession(ProbeConfig("cpu", 1, 100)) as one, ProbeSession(ProbeConfig("cpu", 2, 100)) as two:
        yield {1: one, 2: two}


def revision(folder):
    return Revision("step7", 7, None, str(folder), "t")


def column(folder, store, session, texts=TEXTS):
    """The bytes of a column's file."""
    store = ArrayStore(store)
    return store.path(embed_column(revision(folder), folder, texts, NORMALISED, session, store)).read_bytes()


@pytest.fixture
def ranks(sessions):
    return sessions[2].ranks


def others():
    return {process.pid for process in multiprocessing.active_children() if process.name.startswith("probe rank")}


@pytest.mark.slow
def test_two_devices_give_the_bytes_of_one_column_after_column(sessions, tmp_path):
    seen = set()
    for number, family in enumerate(["gpt_neox", "gpt_neox", "mamba"]):  # packed, swapped in, padded
        folder = make(tmp_path / str(number), family, seed=number)
        one = column(folder, tmp_path / "one", sessions[1])
        assert column(folder, tmp_path / "two", sessions[2]) == one
        seen |= others()
    assert len(seen) == 1  # the second process lives on


def test_more_devices_than_batches_leave_some_idle(sessions, tmp_path):
    folder, texts = make(tmp_path / "model"), ["one text"]
    one = column(folder, tmp_path / "one", sessions[1], texts)
    assert column(folder, tmp_path / "two", sessions[2], texts) == one


@pytest.mark.slow
def test_a_mistake_that_only_another_device_meets_is_told_as_itself(sessions, tmp_path):
    column(make(tmp_path / "first", seed=4), tmp_path / "zero", sessions[2])  # the other process has a model
    folder = make(tmp_path / "model", seed=5)
    column_vectors(revision(folder), folder, TEXTS, NORMALISED, sessions[2])  # only this process gets the weights
    (folder / "model.safetensors").write_bytes(b"<html>not found</html>")
    with pytest.raises(ValueError, match=r"model\.safetensors: damaged") as caught:
        column(folder, tmp_path / "two", sessions[2])
    assert "\n" not in str(caught.value)
    assert not others()
    assert not list((tmp_path / "two").glob("??/*"))  # nothing half-written


@pytest.mark.slow
def test_a_process_that_is_killed_fails_the_column_and_the_next_one_has_a_new_one(sessions, ranks, tmp_path):
    with pytest.raises(RankError, match="rank 1 was killed by signal 9"), ranks.working(_die):
        pass
    assert not others()
    folder = make(tmp_path / "model")
    one = column(folder, tmp_path / "one", sessions[1])
    assert column(folder, tmp_path / "two", sessions[2]) == one


def _die(rank, models):
    os.kill(os.getpid(), signal.SIGKILL)


def _bug(rank, models):
    return {}["key"]


@pytest.mark.slow
def test_a_bug_of_another_device_brings_its_traceback(ranks):
    story = r"rank 1 failed:\nTraceback(.|\n)*in _bug(.|\n)*KeyError: 'key'"
    with pytest.raises(RankError, match=story), ranks.working(_bug):
        pass


def test_an_error_here_ends_the_others_at_once(ranks):
    def work():
        with ranks.working(_sleep):
            assert others()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert not others()


def _sleep(rank, models):
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
