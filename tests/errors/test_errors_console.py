"""A terminal that cannot be written to: what is said goes into the log instead, and nothing is raised."""

import errno
import io
import logging
import os
import sys

import pytest

from tl_search.errors.console import Console, surviving


class Full(io.StringIO):
    """A stream on a disk that is full after its first lines, as many as are given."""

    def __init__(self, lines=0, error=errno.ENOSPC):
        super().__init__()
        self.lines, self.error = lines, error

    def write(self, text):
        if self.getvalue().count("\n") >= self.lines:
            raise OSError(self.error, os.strerror(self.error))
        return super().write(text)


@pytest.fixture
def logged():
    """What the log's file holds, with a handler for the terminal beside it, as in a run."""
    root, file = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    root.handlers, root.level = [logging.StreamHandler(file)], logging.INFO
    yield file
    root.handlers, root.level = before, level


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EPIPE, errno.EIO])
def test_lines_that_the_terminal_does_not_take_go_into_the_log_once(logged, monkeypatch, error):
    stream = Full(lines=1, error=error)
    monkeypatch.setattr(sys, "stderr", stream)
    with surviving("stderr"):
        logging.getLogger().addHandler(logging.StreamHandler(sys.stderr))
        print("step 1", file=sys.stderr, flush=True)
        print("step 2", file=sys.stderr, flush=True)
        logging.getLogger("tl_search").info("a line of the log")
        logging.getLogger().addHandler(logging.StreamHandler(sys.stderr))  # as of the next job of a sweep
        logging.getLogger("tl_search").info("another one")
        print("step 3", file=sys.stderr)
    assert sys.stderr is stream
    assert stream.getvalue() == "step 1\n"
    told, *lines = logged.getvalue().splitlines()
    why = f"({os.strerror(error)}); the run goes on, and its lines stand here"
    assert told == f"the terminal cannot be written to {why}"
    assert lines == ["step 2", "a line of the log", "another one", "step 3"]


def test_a_reader_of_the_answer_who_has_gone_is_not_worth_a_word(logged, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Full(error=errno.EPIPE))
    with surviving("stdout"):
        print("the answer")
        sys.stdout.flush()
    assert logged.getvalue() == ""


def test_a_log_that_writes_to_the_same_terminal_does_not_go_round_in_circles(logged):
    console = Console(Full(), kept=True)
    logging.getLogger("tl_search.console").addHandler(handler := logging.StreamHandler(console))
    try:
        console.write("step 1\n")
        console.write("step 2\n")
    finally:
        logging.getLogger("tl_search.console").removeHandler(handler)
    assert logged.getvalue().splitlines()[1:] == ["step 1", "step 2"]


def test_after_the_run_nothing_is_said_of_its_terminal(logged, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    with surviving("stderr"):
        held = sys.stderr
    stream.close()
    held.write("late\n")
    assert logged.getvalue() == ""


def test_what_can_be_written_is_written_as_before(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with surviving("stderr"), surviving("stdout", "stderr"):
        print("one", "two", file=sys.stderr)
        sys.stderr.writelines(["three\n", "four"])
        assert not sys.stderr.isatty()
    assert stream.getvalue() == "one two\nthree\nfour"
