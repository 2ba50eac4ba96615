"""Writing: whole or not at all, wherever the writer is stopped."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tl_search.store.atomic import ASIDE, read_json, sweep_litter, write_bytes, write_dir, write_json


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "fact.json"
    write_bytes(path, b"old")

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match=r"No space left.*fact\.json"):  # the handle's error names no file
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_whole_and_replaces_the_one_before(tmp_path):
    target = tmp_path / "step10"
    for content in ("first", "second"):
        with write_dir(target) as folder:
            (folder / "a").mkdir()
            (folder / "a" / "file").write_text(content)
            assert target.exists() == (content == "second")
    assert (target / "a" / "file").read_text() == "second"
    assert os.listdir(tmp_path) == ["step10"]


def test_an_error_inside_a_folder_leaves_nothing(tmp_path):
    def fill_half():
        with write_dir(tmp_path / "step10") as folder:
            (folder / "half").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fill_half()
    assert list(tmp_path.iterdir()) == []


def test_litter_of_killed_writers_is_swept_and_nothing_else(tmp_path):
    (tmp_path / "kept.json").write_text("{}")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / f"{ASIDE}file").write_text("half")
    (tmp_path / f"{ASIDE}folder").mkdir()
    assert sweep_litter(tmp_path) == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "kept.json"]


def test_where_others_write_only_what_lay_idle_is_swept(tmp_path):
    dead, alive = tmp_path / f"{ASIDE}dead", tmp_path / f"{ASIDE}alive"
    for path in (dead, alive):
        path.write_text("half")
    os.utime(dead, (time.time() - 100, time.time() - 100))
    assert sweep_litter(tmp_path, idle=60) == 1
    assert list(tmp_path.iterdir()) == [alive]


def test_killed_writers_leave_a_whole_file(tmp_path):
    """kill -9 at many moments of an endless rewriting of one file: what lies there is always one whole content."""
    program = (
        "import sys, pathlib; from tl_search.store.atomic import write_bytes\n"
        "for n in range(10**9): write_bytes(pathlib.Path(sys.argv[1]), bytes([n % 256]) * 200_000)"
    )
    path = tmp_path / "file"
    for number in range(8):
        writer = subprocess.Popen([sys.executable, "-c", program, str(path)])
        while not path.exists():
            time.sleep(0.01)
        time.sleep(0.05 + 0.013 * number)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        content = path.read_bytes()
        assert len(content) == 200_000
        assert len(set(content)) == 1


def test_json_refuses_what_it_cannot_say_and_names_a_damaged_file(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", float("nan"))
    (tmp_path / "y.json").write_text('{"half":')
    with pytest.raises(ValueError, match=r"y\.json: damaged"):
        read_json(tmp_path / "y.json")


def test_new_files_have_the_mode_that_the_person_wants(tmp_path):
    mask = os.umask(0)
    os.umask(mask)
    write_bytes(tmp_path / "fact.json", b"new")
    assert (tmp_path / "fact.json").stat().st_mode & 0o777 == 0o666 & ~mask
    with write_dir(tmp_path / "step10") as folder:
        (folder / "file").touch()
    assert (tmp_path / "step10").stat().st_mode & 0o777 == 0o777 & ~mask
