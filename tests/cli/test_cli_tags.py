"""`tags=[…]`: words to find runs by, which make no other run of one."""

import json

import pytest
from tiny_training import TINY

from tl_search.cli.main import main
from tl_search.runs.record import RunRecord


@pytest.mark.slow
def test_a_run_keeps_its_tags_until_a_command_names_others(run, capsys):
    train = ("train", *TINY)
    for words, expected in (
        (["tags=[baseline,2024]"], ("baseline", "2024")),
        ([], ("baseline", "2024")),
        (["tags=['é-1']"], ("é-1",)),
    ):
        assert main([*train, *words]) == 0
        record = RunRecord.read(run)
        assert record is not None
        assert record.tags == expected
    assert [path.name for path in run.parent.iterdir() if path.is_dir()] == [run.name]  # the same run
    capsys.readouterr()
    assert main(["report", str(run)]) == 0
    assert "Tags: é-1" in capsys.readouterr().out.splitlines()


@pytest.mark.slow
def test_a_new_run_is_begun_with_its_tags(folder, monkeypatch, trained):
    from tl_search.search import run as searching

    monkeypatch.setattr(searching, "run_search", lambda plan, folder: 0)
    monkeypatch.setattr("tl_search.report.write.write_report", lambda folder, **_: None)
    assert main(["search", str(trained), "tags=[a,b]"]) == 0
    (record,) = folder.glob("runs/search/*/run.json")
    assert json.loads(record.read_text())["tags"] == ["a", "b"]
    assert main(["search", str(trained), "seed=1"]) == 0
    assert sorted("tags" in path.read_text() for path in folder.glob("runs/search/*/run.json")) == [False, True]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("tags=baseline", "tags: must be a list of words, as in tags=[baseline,seed1], got 'baseline'"),
        ("tags=[two words]", "tags[0]: must be a word of 1 to 40 printable characters, without spaces and commas, got"),
        (f"tags=[a,{'b' * 41}]", "tags[1]: must be a word of 1 to 40 printable characters"),
        ("tags=['a\tb']", "tags[0]: must be a word of 1 to 40 printable characters"),
        ("tags=['']", "tags[0]: must be a word of 1 to 40 printable characters"),
        ("tags=[a,b,a]", "tags[2]: must be given once, got 'a' again"),
        ("tags=[true]", "tags[0]: must be text or an integer, got True"),
        (f"tags=[{','.join(map(str, range(21)))}]", "tags: must be at most 20 words, got 21"),
    ],
)
@pytest.mark.slow_but_every(3)
def test_what_is_no_short_word_is_one_line(folder, capsys, word, said):
    assert main(["train", word]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}")
    assert error.count("\n") == 1
    assert not list(folder.iterdir())
