"""One owner per run."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tl_search.errors.kinds import LockedError
from tl_search.store.atomic import ASIDE, read_json, remove_folder, write_dir, write_json
from tl_search.store.journal import Journal
from tl_search.store.lock import RunLock, _process_start


def test_a_second_owner_is_refused_by_name(tmp_path):
    with RunLock(tmp_path) as lock:
        assert lock.is_mine()
        with pytest.raises(LockedError, match=f"process {os.getpid()}"), RunLock(tmp_path):
            pass
    with RunLock(tmp_path):
        pass


def test_a_dead_owner_on_this_machine_is_taken_over_and_that_is_told(tmp_path, caplog):
    program = (
        "import os, sys, pathlib; from tl_search.store.lock import RunLock\n"
        "RunLock(pathlib.Path(sys.argv[1])).__enter__(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert (tmp_path / "run.lock" / "owner.json").exists()
    with RunLock(tmp_path) as lock:
        assert lock.is_mine()
    assert "taken over from process" in caplog.text
    assert "no longer exists" in caplog.text


@pytest.mark.parametrize(("age", "taken"), [(30, False), (1000, True)])
def test_an_owner_elsewhere_is_taken_over_only_without_heartbeat(tmp_path, age, taken):
    claim = tmp_path / "run.lock" / "owner.json"
    claim.parent.mkdir()
    claim.write_text(json.dumps({"host": "elsewhere", "pid": 1, "started": "1", "attempt": "a"}))
    os.utime(claim, (time.time() - age,) * 2)
    if taken:
        with RunLock(tmp_path) as lock:
            assert lock.is_mine()
    else:
        with pytest.raises(LockedError, match="elsewhere"), RunLock(tmp_path):
            pass


def claimed(folder, age=0, **changes):
    """A claim that this process would make, with changes; None leaves an entry out. Its last heartbeat is `age` old."""
    lock = RunLock(folder)
    owner = {**lock.owner, "attempt": "another", **changes}
    lock.folder.mkdir(exist_ok=True)
    lock.claim.write_text(json.dumps({key: value for key, value in owner.items() if value is not None}))
    os.utime(lock.claim, (time.time() - age,) * 2)
    return lock.claim


NO_PROCESS = {"pid": 2**22 - 1, "started": "1"}


@pytest.mark.parametrize("place", ["namespace", "boot"])
def test_a_process_id_of_another_namespace_or_machine_says_nothing(tmp_path, place, caplog):
    """Containers may share a host name, and the owner's process id may be free, or another process's, in this one."""
    claimed(tmp_path, age=30, **NO_PROCESS, **{place: "another"})
    with (
        pytest.raises(LockedError, match=r"sign of life was 3\d s ago; after 600 s the run is free"),
        RunLock(tmp_path),
    ):
        pass
    claimed(tmp_path, age=1000, **{place: "another"})
    with RunLock(tmp_path) as lock:
        assert lock.is_mine()
    assert "gave no sign of life for 1000 s" in caplog.text
    assert read_json(tmp_path / "run.lock" / "taken-over.json")[place] == "another"


def test_a_container_with_the_same_host_name_leaves_a_living_owner_alone(tmp_path):
    own_ids = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if not shutil.which("unshare") or subprocess.run([*own_ids, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a namespace of process ids")
    program = (
        "import sys, pathlib; from tl_search.store.lock import RunLock\nRunLock(pathlib.Path(sys.argv[1])).__enter__()"
    )
    with RunLock(tmp_path) as lock:
        other = subprocess.run([*own_ids, sys.executable, "-c", program, tmp_path], capture_output=True, text=True)
        assert "LockedError" in other.stderr
        assert f"in use by process {os.getpid()}" in other.stderr
        assert lock.is_mine()


@pytest.mark.parametrize(("age", "process", "taken"), [(1, NO_PROCESS, False), (90, NO_PROCESS, True), (90, {}, False)])
def test_a_claim_written_before_namespaces_were_is_understood(tmp_path, age, process, taken):
    claimed(tmp_path, age, boot=None, namespace=None, **process)
    if taken:
        with RunLock(tmp_path) as lock:
            assert lock.is_mine()
    else:
        with pytest.raises(LockedError, match="in use by process"), RunLock(tmp_path):
            pass


@pytest.mark.parametrize("content", ["[]", "{}", "", "null", '{"pid": "7"}', '"text"'])
def test_a_claim_that_says_nothing_counts_as_long_as_it_is_fresh(tmp_path, content):
    claim = claimed(tmp_path)
    claim.write_text(content)
    with pytest.raises(LockedError, match=r"remove .*run\.lock if that process no longer exists"), RunLock(tmp_path):
        pass
    os.utime(claim, (time.time() - 1000,) * 2)
    with RunLock(tmp_path) as lock:
        assert lock.is_mine()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells")
def test_an_owner_that_has_ended_but_was_not_buried_is_dead(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.DEVNULL)
    started = _process_start(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    claimed(tmp_path, pid=child.pid, started=started)
    with RunLock(tmp_path) as lock:
        assert lock.is_mine()
    child.wait()


def replace(folder):
    with write_dir(folder) as aside:
        (aside / "file").touch()


def test_an_owner_that_was_taken_over_publishes_nothing_more(tmp_path):
    """Such as a process that was suspended for an hour."""
    kept, log = tmp_path / "kept.json", Journal(tmp_path / "log.jsonl")
    with RunLock(tmp_path):
        write_json(kept, 1)
        log.append({"number": 1})
        (tmp_path / "folder").mkdir()
        claimed(tmp_path, pid=77, host="elsewhere")
        for publish in (
            lambda: write_json(kept, 2),
            lambda: log.append({"number": 2}),
            lambda: remove_folder(tmp_path / "folder"),
            lambda: replace(tmp_path / "folder"),
        ):
            with pytest.raises(LockedError, match="process 77 on elsewhere has taken over the run"):
                publish()
    assert (read_json(kept), log.records()) == (1, [{"number": 1}])
    assert (tmp_path / "folder").is_dir()
    assert read_json(tmp_path / "run.lock" / "owner.json")["pid"] == 77  # it is not ours to remove


def test_a_process_that_the_owner_has_started_publishes_as_long_as_the_owner_may(tmp_path):
    claimed(tmp_path, pid=os.getppid())
    with RunLock(tmp_path).joined():
        write_json(tmp_path / "file.json", 1)
        claimed(tmp_path, pid=77, attempt="a third")
        with pytest.raises(LockedError, match="process 77"):
            write_json(tmp_path / "file.json", 2)
    with pytest.raises(LockedError, match="process 77"), RunLock(tmp_path).joined():
        pass


@pytest.mark.slow
def test_a_claim_that_is_put_back_at_once_was_never_lost(tmp_path):
    with RunLock(tmp_path) as lock:
        aside = lock.claim.rename(tmp_path / "moved")
        threading.Timer(0.3, aside.rename, (lock.claim,)).start()
        write_json(tmp_path / "file.json", 1)
        lock.claim.unlink()
        with pytest.raises(LockedError, match=r"owner\.json was removed"):
            write_json(tmp_path / "file.json", 2)


def test_the_next_owner_removes_what_killed_processes_left(tmp_path):
    places = [tmp_path / f"{ASIDE}1", tmp_path / "deep" / f"{ASIDE}2"]
    lock = tmp_path / "run.lock"
    for number in range(2):
        claimed(tmp_path, **NO_PROCESS)
        for name in (f"dead-{number}.json", f"clock-{number}", f"tmp{number}"):
            (lock / name).touch()
            os.utime(lock / name, (1, 1))
        (tmp_path / "deep").mkdir(exist_ok=True)
        for place in places:
            place.touch()
        with RunLock(tmp_path):
            assert {entry.name for entry in lock.iterdir()} == {"owner.json", "taken-over.json"}
            assert not any(place.exists() for place in places)


def test_waiting_gets_the_lock_when_its_owner_ends(tmp_path):
    first = RunLock(tmp_path)
    first.__enter__()
    threading.Timer(0.3, first.__exit__, (None, None, None)).start()
    with RunLock(tmp_path, wait=10) as second:
        assert second.is_mine()


def test_of_many_that_claim_at_once_one_wins(tmp_path):
    winners, barrier = [], threading.Barrier(8)

    def claim():
        lock = RunLock(tmp_path)
        barrier.wait()
        try:
            lock.__enter__()
            winners.append(lock)
        except LockedError:
            pass

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 1
