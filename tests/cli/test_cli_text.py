"""What a person is told of training text and tokenizers on the command line."""

import gzip
import json
import subprocess
import sys

import pytest
from tiny_training import TINY, only_run

from tl_search.cli.config.renamed import first_named
from tl_search.cli.main import main
from tl_search.runs.identity import plain
from tl_search.runs.layout import RunPaths
from tl_search.text.files import TextFiles
from tl_search.text.hub import HubDataset
from tl_search.training.tokens import ByteTokenizer


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def save_tokenizer(folder, end):
    """Bytes and two special tokens, of which `end` ends a document."""
    tokenizer = ByteTokenizer().build()
    tokenizer.add_special_tokens({"pad_token": "<|other|>"})
    tokenizer.eos_token = end
    tokenizer.save_pretrained(folder)


@pytest.mark.slow
def test_another_token_at_the_end_of_documents_is_another_text_and_refused_on_resume(tmp_path, capsys):
    save_tokenizer(tmp_path / "tokenizer", "<|endoftext|>")
    words = ("tokenizer=pretrained", "tokenizer.name=tokenizer", f"cache={tmp_path}/cache")
    own = [word for word in TINY if not word.startswith("tokenizer")]
    assert main(["train", *own, *words]) == 0
    run, packed = only_run(), set((tmp_path / "cache/tokens").iterdir())
    kept = RunPaths(run).record.read_bytes()
    save_tokenizer(tmp_path / "tokenizer", "<|other|>")
    capsys.readouterr()
    for resume in ([f"resume={run}", "trainer.max_steps=6"], [f"resume={run}@step2"]):
        assert main(["train", *resume]) == 2
        assert "end_of_text was '<|endoftext|>', now '<|other|>'" in capsys.readouterr().err
    assert RunPaths(run).record.read_bytes() == kept
    assert set((tmp_path / "cache/tokens").iterdir()) > packed  # its own tokens, not those of the other end
    save_tokenizer(tmp_path / "tokenizer", "<|endoftext|>")
    assert main(["train", f"resume={run}", "trainer.max_steps=6"]) == 0
    assert json.loads(kept)["data"]["end_of_text"] == "<|endoftext|>"


def texts(folder, *contents):
    folder.mkdir()
    for number, text in enumerate(contents):
        (folder / f"{number}.txt").write_text(text)
    return [*(word for word in TINY if "validation_share" not in word), f"data.corpus.path={folder}"]


@pytest.mark.slow
def test_what_is_held_out_is_told_in_tokens(tmp_path, capfd):
    words = texts(tmp_path / "text", "a" * 800, "b" * 12_000, "")
    with pytest.warns(UserWarning, match=r"^data\.corpus: documents without text that were skipped: 1$"):
        assert main(["train", *words, "data.validation_share=0.02"]) == 0
    told = "".join(capfd.readouterr())
    assert "text: 12,546 tokens to train on; 256 tokens (2.0 %) of 1 documents are held out, 1 of them with" in told


@pytest.mark.slow
def test_equal_documents_on_both_sides_are_told(tmp_path):
    words = texts(tmp_path / "text", "same text " * 20, "another one " * 20, "same text " * 20)
    with pytest.warns(UserWarning, match="held-out documents that are also in the training text: 1 of 1"):
        assert main(["train", *words, "data.validation_share=0.3"]) == 0


def data_set(folder, *lines, name="rows.jsonl"):
    folder.mkdir()
    (folder / name).write_text("".join(f"{line}\n" for line in lines), errors="surrogateescape")
    return [*(word for word in TINY if not word.startswith("data")), "data=hub", f"data.corpus.name={folder}",
            "data.batch_size=2", "data.validation_share=0.2"]  # fmt: skip


TEXT = json.dumps({"text": "some words " * 40})


@pytest.mark.slow_but_one
@pytest.mark.parametrize(
    ("name", "lines", "told"),
    [
        ("rows.jsonl", [TEXT, TEXT[:30]], "rows.jsonl: row 2 must be JSON, got "),
        (
            "rows.jsonl",
            [TEXT, '{"text": "a", "text": "b"}'],
            'row 2 must be JSON, got \'{"text": "a", "text": "b"}\' (t',
        ),
        ("rows.jsonl", [TEXT, '{"text": NaN}'], "column: 'text' must be text, got null in row 2 of "),
        ("rows.jsonl", [TEXT, '{"text": "a\\ud800"}'], "rows.jsonl: row 2 must be JSON, got "),
        ("rows.jsonl", [TEXT, '{"text": "caf\udce9"}'], "rows.jsonl: row 2 must be JSON, got "),
        ("rows.jsonl.gz", [TEXT, TEXT], "rows.jsonl.gz: cannot be read after row 0: Not a gzipped file"),
        ("rows.jsonl", [TEXT, '{"text": "b"', TEXT], "rows.jsonl: row 2 must be JSON, got "),
        ("rows.jsonl", [TEXT, "[1]"], "rows.jsonl: row 2 must be a JSON object with columns, got [1]"),
        ("rows.jsonl", [TEXT, '{"text": null}'], "column: 'text' must be text, got null in row 2 of "),
        ("rows.jsonl", [TEXT, '{"other": "a"}'], "column: 'text' must be text, got null in row 2 of "),
        ("rows.jsonl", [TEXT, TEXT, '{"text": 3}'], "column: 'text' must be text, got '3' (int) in row 3 of "),
        ("rows.jsonl", ['{"text": ["a"]}'], "column: 'text' must be text, got \"['a']\" (list) in row 1 of "),
        ("rows.csv", ["text,more", "a,1", ",2"], "column: 'text' must be text, got null in row 2 of "),
        ("rows.csv", ["text,more", "a,1", "b,2,3,4"], "rows.csv: cannot be read after row "),
        ("rows.parquet", ["no parquet"], "rows.parquet: cannot be read after row 0"),
        ("rows.jsonl", [], "name: must hold rows of text, got "),
    ],
    ids=[
        "torn",
        "key twice",
        "NaN",
        "surrogate",
        "latin-1",
        "not packed",
        "broken",
        "no object",
        "null",
        "missing",
        "number",
        "list",
        "csv null",
        "csv broken",
        "parquet",
        "empty",
    ],
)
def test_rows_that_are_no_text_are_refused_by_file_row_and_column(tmp_path, capsys, monkeypatch, name, lines, told):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    words = data_set(tmp_path / "set", *lines, name=name)
    capsys.readouterr()
    assert main(["train", *words]) == 2
    (error,) = (line for line in capsys.readouterr().err.splitlines() if "error" in line)
    assert error.startswith("error: data.corpus.")
    assert told in error
    assert str(tmp_path / "set") in error


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_a_single_file_of_rows_is_a_data_set(tmp_path, monkeypatch, name):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    content = f"\ufeff{TEXT}\n{TEXT}\n".encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    (tmp_path / "other.jsonl").write_text("no JSON")
    monkeypatch.chdir(tmp_path)
    corpus = HubDataset(name)
    monkeypatch.chdir("/")
    assert list(corpus.documents()) == [json.loads(TEXT)["text"]] * 2
    assert corpus.remote is None


@pytest.mark.parametrize(
    ("path", "rows"),
    [("a.jsonl", "a.jsonl"), ("set", "set"), ("set/*.csv", "set/b.csv"), ("a.json", "a.json"), ("a.csv.gz", "a.csv.gz"),
     ("a.parquet", "a.parquet")],
)  # fmt: skip
@pytest.mark.slow_but_every(3)
def test_files_of_rows_are_refused_as_plain_text_with_the_setting_that_reads_them(tmp_path, capsys, path, rows):
    (tmp_path / "set").mkdir()
    for name in ("a.jsonl", "set/a.jsonl", "set/b.csv", "a.json", "a.csv.gz", "a.parquet"):
        (tmp_path / name).write_text(f" [\n{TEXT}]")
    assert main(["train", "data=files", f"data.corpus.path={path}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: data.corpus.path: must be plain text, got ")
    assert f"data=hub data.corpus.name={tmp_path / rows} data.corpus.column=text reads" in line


def test_a_file_of_rows_among_others_is_told_and_a_json_document_is_none(tmp_path, monkeypatch):
    for name in ("a.txt", "b.csv", "c.json"):
        (tmp_path / name).write_text('{"key": [{}]}')
    with pytest.warns(UserWarning, match=r"files of rows that are read as plain text: 1, such as .*b\.csv"):
        TextFiles(str(tmp_path)).check()
    (tmp_path / "b.csv").unlink()
    TextFiles(str(tmp_path)).check()


@pytest.mark.slow
def test_rows_without_a_value_are_left_out_and_counted_on_request(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    words = data_set(tmp_path / "set", *[TEXT, '{"text": null}'] * 5)
    with pytest.warns(UserWarning, match=r"rows with null that were skipped: 5$"):
        assert main(["train", *words, "data.corpus.skip_nulls=true"]) == 0
    assert json.loads(RunPaths(only_run()).record.read_text())["plan"]["data"]["corpus"]["skip_nulls"] is True


def test_a_setting_that_was_added_later_names_no_other_run_at_the_value_that_it_had_before(tmp_path):
    corpus = HubDataset(str(tmp_path))
    assert "skip_nulls" not in plain(corpus)
    node = {"_target_": "tl_search.text.hub.HubDataset", "name": "a"}
    assert first_named({**node, "skip_nulls": False}) == first_named(node)
    assert first_named({**node, "skip_nulls": True}) != first_named(node)


def test_text_of_no_bytes_is_refused_before_torch_is_imported(tmp_path):
    (tmp_path / "text.txt").touch()
    code = (
        "import sys; from tl_search.cli.main import main; code = main(sys.argv[1:]); "
        "sys.exit(9 if {'torch', 'transformers', 'lightning'} & {*sys.modules} else code)"
    )
    words = ["train", "data=files", "data.corpus.path=text.txt"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: data.corpus.path: must name files that hold text, got ")
    assert not (tmp_path / "runs").exists()
