"""Cells that are scored in other processes get the scores that they get in this one, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from scoring import own_tasks

from tl_search.plane.arm import Arm
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.scoring.processes import MOST, Scorers, Scoring
from tl_search.scoring.suites import Suite
from tl_search.scoring.text_vectors import TextVectors
from tl_search.scoring.uncertainty.resample import confirm_cell
from tl_search.store.keys import text_digest


@pytest.fixture(scope="module")
def scorers():
    with Scorers(2) as found:
        yield found


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """What `confirm_cell` takes, for tasks of three types."""
    folder = own_tasks.write(tmp_path_factory.mktemp("tasks"))
    suite = Suite(("Tickets", "Doubles", "Themes"), folder=str(folder))
    extraction, rng = Extraction(dtype=Dtype.float32), np.random.default_rng(0)
    found = []
    for task in suite.confirmation():
        texts = suite.texts((task,))[task.name]
        places = {text_digest(text): row for row, text in enumerate(texts)}
        arm = Arm("m", Revision("step1", 1, weights="w", tokenizer="t"), 1, extraction)
        vectors = TextVectors(places, [rng.standard_normal((len(texts), 8)).astype(np.float32)])
        found.append((arm, task, vectors, 20, 0))
    return found


def prepared(cells):
    return [partial(tuple, cell) for cell in cells]


def test_scores_and_replicates_are_those_of_one_process_to_the_bit(scorers, cells):
    here = dict(Scorers().each(confirm_cell, prepared(cells)))
    assert list(here) == list(range(len(cells)))
    there = dict(scorers.each(confirm_cell, prepared(cells)))
    assert there.keys() == here.keys()
    for number, (score, replicates) in here.items():
        assert there[number][0].value == score.value
        assert there[number][0].standard_error == score.standard_error
        assert there[number][0].result["scores"] == score.result["scores"]
        assert there[number][1].tobytes() == replicates.tobytes()


def test_a_cell_that_has_no_score_says_so_and_the_others_go_on(scorers, cells):
    arm, task, vectors, *rest = cells[0]
    equal = TextVectors(vectors.places, [np.ones_like(vectors.arrays[0])])

    def broken():
        raise ValueError("step1: its weights are damaged")

    jobs = [*prepared([(arm, task, equal, *rest), cells[1]]), broken]
    found = dict(scorers.each(confirm_cell, jobs))
    assert "are equal, so they tell no texts apart" in str(found[0])
    assert found[1][0].value == confirm_cell(*cells[1])[0].value
    assert str(found[2]) == "step1: its weights are damaged"
    assert all(isinstance(found[number], ValueError) for number in (0, 2))


def blocked(*_):
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_signals_are_kept_from_processes_from_their_first_moment_and_still_reach_this_one(scorers):
    before = blocked()
    there = dict(scorers.each(blocked, [tuple, tuple]))
    assert all({signal.SIGINT, signal.SIGTERM} <= found for found in there.values())
    assert blocked() == before
    assert signal.SIGINT not in before


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_killed_process_is_told_in_a_line_and_new_ones_can_be_started(cells):
    with Scorers(2) as scorers:
        with pytest.raises(ChildProcessError, match=r"a process that scores cells was killed.*scoring\.processes=1"):
            list(scorers.each(die, prepared(cells[:2])))
        scorers.close()
        assert dict(scorers.each(abs, [partial(tuple, [-number]) for number in (1, 2)])) == {0: 1, 1: 2}


STARTS = """
import time
from functools import partial
from tl_search.scoring.processes import Scorers
scorers = Scorers(2)
pids = [found for _, found in scorers.each(eval, [partial(tuple, ["__import__('os').getpid()"])] * 8)]
print(*set(pids), flush=True)
next(scorers.each(time.sleep, [partial(tuple, [1000])] * 2))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_one_that_started_it(number, tmp_path):
    script = tmp_path / "starts.py"
    script.write_text(f"if __name__ == '__main__':\n    {STARTS.strip()}".replace("\n", "\n    "))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert all(os.path.exists(f"/proc/{pid}") for pid in pids)
        process.send_signal(number)
    deadline = time.monotonic() + 10
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("told", "count"), [("1", 1), ("3", 3), ("64", MOST)])
def test_without_a_number_there_are_as_many_as_cores_that_may_be_used(monkeypatch, told, count):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert Scoring().count == count
    assert Scoring(12).count == 12


def test_a_number_below_one_is_refused():
    with pytest.raises(ValueError, match=r"processes: must be >= 1, got 0"):
        Scoring(0)
