"""Runs that an earlier version wrote, before there was a room for runs."""

import tarfile
from pathlib import Path

import pytest


@pytest.fixture
def old_runs(tmp_path) -> Path:
    """A working directory with two trainings and a search, and their text.

    `runs/train/longer-…` was trained to step 4 and then on to step 6; `runs/train/stopped-…` was killed after the
    state of step 50 of 400; `runs/search/found-…` searched the former. They were written in /home/person/study.
    """
    with tarfile.open(Path(__file__).parent / "written_before.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path
