"""One owner per run."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from tl_search.errors.kinds import LockedError
from tl_search.store.lock import RunLock


def test_a_second_owner_is_refused_by_name(tmp_path):
    with RunLock(tmp_path) as lock:
        assert lock.is_mine()
        with pytest.raises(LockedError, match=f"process {os.getpid()}"), RunLock(tmp_path):
            pass
    with RunLock(tmp_path):
        pass


def test_a_dead_owner_on_this_machine_is_taken_over(tmp_path):
    program = (
        "import os, sys, pathlib; from tl_search.store.lock import RunLock\n"
        "RunLock(pathlib.Path(sys.argv[1])).__enter__(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert (tmp_path / "run.lock" / "owner.json").exists()
    with RunLock(tmp_path) as lock:
        assert lock.is_mine()


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
