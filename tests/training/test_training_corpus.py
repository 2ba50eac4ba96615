"""Where documents come from."""

import pytest

from tl_search.store.stdlib import modules
from tl_search.training.corpus import HubDataset, StdlibText, TextFiles


def test_files_come_by_name_whether_named_by_folder_or_pattern(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.txt", "a.txt", "deep/c.txt"):
        (tmp_path / name).write_text(name)
    assert list(TextFiles(str(tmp_path)).documents()) == ["a.txt", "b.txt", "deep/c.txt"]
    assert list(TextFiles(str(tmp_path / "**" / "*.txt")).documents()) == ["a.txt", "b.txt", "deep/c.txt"]
    assert list(TextFiles(str(tmp_path / "b.txt")).documents()) == ["b.txt"]


def test_a_path_without_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^path: must name a text file"):
        list(TextFiles(str(tmp_path / "*.txt")).documents())


def test_a_file_that_is_not_utf8_is_refused_by_name(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match=r"a\.txt must be UTF-8 text, got byte 3"):
        list(TextFiles(str(tmp_path)).documents())


def test_the_library_text_is_the_train_part_and_nothing_else():
    documents = set(StdlibText().documents())
    assert documents == {module.read() for module in modules("train")}
    assert not documents & {module.read() for module in modules("confirmation")}


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match=r"^part: must be one of train, "):
        StdlibText("tarin")


def test_a_data_set_gives_its_column(tmp_path, tmp_path_factory, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    (tmp_path / "rows.jsonl").write_text('{"body": "first"}\n{"body": "second"}\n')
    assert list(HubDataset(str(tmp_path), column="body").documents()) == ["first", "second"]
    with pytest.raises(ValueError, match=r"^data\.corpus\.column: must be one of body, got 'text'"):
        list(HubDataset(str(tmp_path)).documents())
