"""Append-only logs after a crash."""

import pytest

from tl_search.store.journal import Journal


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "pulls.jsonl")
    for number in range(3):
        journal.append({"t": number})
    return journal


def test_records_come_back_in_order(journal):
    assert journal.records() == [{"t": 0}, {"t": 1}, {"t": 2}]


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_torn_last_line_is_cut_and_writing_goes_on(journal, cut):
    data = journal.path.read_bytes()
    journal.path.write_bytes(data[:-cut])
    assert journal.records() == [{"t": 0}, {"t": 1}]
    journal.append({"t": 2})
    assert journal.path.read_bytes() == data


def test_a_reader_leaves_a_line_alone_that_its_writer_may_be_finishing(journal):
    data = journal.path.read_bytes()
    journal.path.write_bytes(data[:-3])
    assert journal.peek() == [{"t": 0}, {"t": 1}]
    assert journal.path.read_bytes() == data[:-3]


def test_a_damaged_middle_line_is_refused_with_its_number(journal):
    lines = journal.path.read_text().splitlines()
    journal.path.write_text("\n".join([lines[0], "{]", lines[2]]) + "\n")
    with pytest.raises(ValueError, match=r"line 2: damaged"):
        journal.records()


def test_an_absent_log_is_empty(tmp_path):
    assert Journal(tmp_path / "none.jsonl").records() == []
