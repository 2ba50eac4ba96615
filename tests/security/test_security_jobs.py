"""A launcher's jobs are pickles that other processes carry out: nobody else may be able to write where they lie."""

import os
import re
from pathlib import Path

import pytest

from tl_search.cli.config.job_folder import job_folder, make_own
from tl_search.errors.kinds import BadInput

LOCAL = ("-m", "hydra/launcher=submitit_local", "seed=1,2")
FOLDER = Path("runs/train/.submitit")


def writable_for_others() -> None:
    FOLDER.mkdir()
    FOLDER.chmod(0o777)


def writable_for_the_group() -> None:
    FOLDER.mkdir()
    FOLDER.chmod(0o775)


PLACES = {
    "others can write": (writable_for_others, "must be a folder that only you can write to, .* has the mode 777"),
    "the group can write": (writable_for_the_group, "must be a folder that only you can write to, .* the mode 775"),
    "a link": (lambda: FOLDER.symlink_to("."), "must be a folder, since jobs are carried out as they lie there"),
    "a file": (FOLDER.touch, "must be a folder, since"),
}


@pytest.mark.parametrize("place", PLACES)
def test_jobs_are_not_put_where_others_can_change_them(here, train, place):
    made, said = PLACES[place]
    (here / FOLDER).parent.mkdir(parents=True)
    made()
    assert re.match(rf"hydra\.launcher\.submitit_folder: {FOLDER} {said}", train(*LOCAL))


def test_a_folder_of_another_person_is_refused(here, train, monkeypatch):
    (here / FOLDER).mkdir(parents=True)
    monkeypatch.setattr(os, "getuid", lambda: (here / FOLDER).stat().st_uid + 1)
    assert "runs/train/.submitit must be yours" in train(*LOCAL)


def test_the_folder_of_jobs_is_opened_by_nobody_else_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        make_own(job_folder(f"{tmp_path}/runs/train/.submitit/%j"))
    finally:
        os.umask(before)
    made = tmp_path / "runs/train/.submitit"
    assert made.stat().st_mode & 0o777 == 0o700
    made.chmod(0o755)  # of an earlier version: only its owner can write, and others can read
    make_own(made)
    assert made.stat().st_mode & 0o777 == 0o700
    made.chmod(0o777)
    with pytest.raises(BadInput, match="only you can write to"):
        make_own(made)
