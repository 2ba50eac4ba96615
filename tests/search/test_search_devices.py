"""A search on several devices finds, and keeps, what one on a single device does."""

import multiprocessing
import os

import pytest

from tl_search.probe.config import ProbeConfig
from tl_search.search.run import run_search
from tl_search.store.atomic import read_json


def entries(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))}


def answer(run):
    return {key: value for key, value in read_json(run / "result.json").items() if key != "seconds"}


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_two_devices_give_the_answer_and_the_bytes_of_one(plan, finished, tmp_path):
    run = tmp_path / "run"
    assert run_search(plan(probe=ProbeConfig("cpu", devices=2)), run) == 0
    assert not [child for child in multiprocessing.active_children() if child.name.startswith("probe rank")]
    assert answer(run) == answer(finished / "run")
    assert entries(tmp_path / "embeddings") == entries(finished / "embeddings") != {}
