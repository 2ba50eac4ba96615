"""Where documents come from."""

import importlib

import pytest
from training.tiny_run import plan

from tl_search.cli.config.build import construct
from tl_search.errors.kinds import BadInput
from tl_search.text.corpus import fingerprint
from tl_search.text.files import TextFiles
from tl_search.text.hub import HubDataset
from tl_search.text.stdlib import StdlibText, modules
from tl_search.training.data import Text
from tl_search.training.horizon import measure_epoch
from tl_search.training.tokens import ByteTokenizer, PretrainedTokenizer


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
    with pytest.raises(ValueError, match=r"^data\.corpus\.path: must name a text file"):
        list(TextFiles(str(tmp_path / "*.txt")).documents())


def test_hidden_files_are_text_only_where_they_are_named(tmp_path):
    folder = tmp_path / ".notes"
    for name in ("a.txt", ".b.txt", ".git/c.txt", "deep/.ipynb_checkpoints/d.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)

    def found(pattern):
        return list(TextFiles(str(folder / pattern)).documents())

    assert found("") == found("**/*.txt") == ["a.txt"]
    assert found(".b.txt") == [".b.txt"]
    assert found(".*.txt") == [".b.txt"]
    assert found(".git") == [".git/c.txt"]
    assert found("**/.ipynb_checkpoints/*.txt") == ["deep/.ipynb_checkpoints/d.txt"]
    with pytest.raises(ValueError, match=r"^data\.corpus\.path: .*only hidden ones, such as .*d\.txt, which must be"):
        found("deep")


def test_files_without_text_are_refused_before_they_are_read(tmp_path):
    (tmp_path / "a.txt").touch()
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbf")
    with pytest.raises(ValueError, match=r"^path: must name files that hold text, got .*: 2 empty"):
        TextFiles(str(tmp_path)).check()


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


POEMS = """
from dataclasses import dataclass

from tl_search.text.corpus import Corpus


@dataclass(frozen=True)
class Poems(Corpus):
    count: int = 40

    def documents(self):
        return (f"roses are red, {number}" for number in range(self.count))


class Empty(Corpus):
    pass
"""


def test_a_corpus_from_another_folder_needs_only_documents(tmp_path, monkeypatch):
    (tmp_path / "anthology.py").write_text(POEMS)
    monkeypatch.syspath_prepend(tmp_path)
    anthology = importlib.import_module("anthology")
    planned = plan(tmp_path, data=construct(Text, {"corpus": anthology.Poems(), "batch_size": 1}))
    planned.data.corpus.check()
    assert measure_epoch(planned).steps > 0
    assert planned.data.corpus.glimpse(1) == (["roses are red, 0"], None)
    assert planned.data.pack(ByteTokenizer(), tmp_path / "cache").corpus_digest == fingerprint(anthology.Poems(40))[0]
    with pytest.raises(TypeError, match="abstract method documents"):
        anthology.Empty()
    with pytest.raises(BadInput, match=r"^corpus: must be a Corpus"):
        construct(Text, {"corpus": object()})


def test_a_corpus_says_whether_it_must_be_downloaded_and_whether_its_settings_fit(tmp_path):
    assert TextFiles(str(tmp_path)).remote is None
    assert HubDataset(str(tmp_path)).remote is None
    assert HubDataset("owner/name").remote == "owner/name"
    with pytest.raises(ValueError, match=r"^path: must name a text file"):
        TextFiles(str(tmp_path)).check()
