"""Where documents come from."""

import pytest

from tl_search.text.corpus import HubDataset, StdlibText, TextFiles
from tl_search.text.stdlib import modules
from tl_search.training.tokens import PretrainedTokenizer


def test_files_come_by_name_whether_named_by_folder_or_pattern(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.txt", "a.txt", "deep/c.txt"):
        (tmp_path / name).write_text(name)
    assert list(TextFiles(str(tmp_path)).documents()) == ["a.txt", "b.txt", "deep/c.txt"]
    assert list(TextFiles(str(tmp_path / "**" / "*.txt")).documents()) == ["a.txt", "b.txt", "deep/c.txt"]
    assert list(TextFiles(str(tmp_path / "b.txt")).documents()) == ["b.txt"]


@pytest.mark.parametrize("here", ["plain", "odd [1]"])
@pytest.mark.parametrize("path", ["deep", "d*/*.txt", "deep/a.txt", "../{here}/deep"])
def test_files_stay_those_of_the_working_directory_in_which_they_were_named(tmp_path, monkeypatch, here, path):
    (tmp_path / here / "deep").mkdir(parents=True)
    (tmp_path / here / "deep" / "a.txt").write_text("text")
    monkeypatch.chdir(tmp_path / here)
    files = TextFiles(path.format(here=here))
    monkeypatch.chdir(tmp_path)
    assert list(files.documents()) == ["text"]


def test_a_folder_of_a_data_set_or_tokenizer_stays_what_it_was_and_a_name_on_the_hub_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner").mkdir()
    for named in (HubDataset, PretrainedTokenizer):
        assert named("owner").name == str(tmp_path / "owner")
        assert named("owner/name").name == "owner/name"


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
