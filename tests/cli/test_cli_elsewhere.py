"""A run whose text was named by a relative path, asked for from another working directory, or after the text moved."""

import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from tiny_training import TINY, only_run

from tl_search.cli import commands
from tl_search.cli.config.compose import parse
from tl_search.cli.config.preflight import preflight
from tl_search.cli.main import main
from tl_search.store.atomic import read_json, write_json
from tl_search.store.keys import digest
from tl_search.training.tokens import TrainedTokenizer

pytestmark = pytest.mark.slow  # whole searches and trainings, one a test

TEXTS = ["the cat sat on the mat, " * 60, "der Löwe schläft heute, " * 60, "and a third text " * 60]
RELATIVE = (*TINY, "data.corpus.path=t*.txt", "tokenizer=pretrained", "tokenizer.name=letters")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working directory with text, a tokenizer's folder and a run that names both by relative paths; to be copied."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("made")
        patch.chdir(folder)
        for number, text in enumerate(TEXTS):
            Path(f"t{number}.txt").write_text(text)
        TrainedTokenizer(258).build(TEXTS).save_pretrained("letters")
        assert main(["train", *RELATIVE]) == 0
        yield folder


@pytest.fixture
def run(place, tmp_path, monkeypatch):
    """A copy of the run; the working directory holds nothing but that, and text and tokenizer are where they were."""
    (made,) = (path for path in (place / "runs" / "train").iterdir() if path.is_dir())
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(made, tmp_path / "run", symlinks=True))


def older(run):
    """As such a run was recorded when the paths were kept as they were written."""
    config, record, done = (
        OmegaConf.load(run / "config.yaml"),
        read_json(run / "run.json"),
        read_json(run / "DONE.json"),
    )
    config.data.corpus.path, config.tokenizer.name = "t*.txt", "letters"
    record["plan"]["data"]["corpus"]["path"], record["plan"]["tokenizer"]["name"] = "t*.txt", "letters"
    OmegaConf.save(config, run / "config.yaml")
    write_json(run / "run.json", record)
    write_json(run / "DONE.json", {**done, "digest": digest(record["plan"])})


def test_a_run_goes_on_and_is_measured_from_another_working_directory(run, place):
    assert main(["evaluate", f"{run}"]) == 0
    assert main(["train", f"resume={run}", "trainer.max_steps=6"]) == 0
    assert read_json(run / "DONE.json")["step"] == 6
    assert list(read_json(run / "run.json")["history"][0]["changed"]) == ["trainer.max_steps"]
    assert OmegaConf.load(run / "config.yaml").data.corpus.path == str(place / "t*.txt")


@pytest.mark.slow_but_one
@pytest.mark.parametrize("record", [lambda run: None, older], ids=["absolute", "older"])
def test_text_and_tokenizer_may_lie_in_another_place(run, place, record):
    record(run)
    Path("moved").mkdir()
    for file in place.glob("t*.txt"):
        shutil.copy(file, "moved")
    shutil.copytree(place / "letters", "moved/letters")
    there = (f"resume={run}", "data.corpus.path=moved/t*.txt", "tokenizer.name=moved/letters")
    before = (run / "DONE.json").stat().st_mtime_ns
    assert main(["train", *there]) == 0
    assert (run / "DONE.json").stat().st_mtime_ns == before  # nothing was left to do
    assert main(["evaluate", f"{run}"]) == 0
    assert main(["train", *there, "trainer.max_steps=6"]) == 0
    record = read_json(run / "run.json")
    assert list(record["history"][0]["changed"]) == ["trainer.max_steps"]
    assert read_json(run / "DONE.json")["digest"] == digest(record["plan"])  # done for whoever asks, from wherever
    recorded = OmegaConf.load(run / "config.yaml")
    assert recorded.data.corpus.path == str(Path("moved").resolve() / "t*.txt")
    assert recorded.tokenizer.name == str(Path("moved").resolve() / "letters")


@pytest.mark.parametrize("longer", [(), ("trainer.max_steps=6",)], ids=["done", "longer"])
@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("data.corpus.path=other.txt", "data.corpus.path: must be the corpus that "),
        ("tokenizer.name=other", "tokenizer.name: must be the tokenizer that "),
    ],
)
def test_another_text_or_tokenizer_there_is_refused_before_anything_is_written(run, other, said, longer, capsys):
    Path("other.txt").write_text("other words " * 200)
    TrainedTokenizer(259).build(["other words " * 200]).save_pretrained("other")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(["train", f"resume={run}", other, *longer]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_another_name_on_the_hub_is_told_before_it_is_asked_for(run, capsys):
    assert main(["train", f"resume={run}", "tokenizer.name=owner/other"]) == 2
    assert "now 'owner/other'" in capsys.readouterr().err


@pytest.mark.slow
def test_the_same_command_finds_a_run_of_before_paths_were_made_absolute(place, monkeypatch):
    monkeypatch.chdir(place)
    words = parse("train", RELATIVE)
    (job,) = preflight(words, commands.find("train"))
    made = only_run()
    assert job.folder.resolve() == made
    copy = Path(shutil.copytree(made, made.with_name("kept"), symlinks=True))
    try:
        older(made)
        done = (made / "DONE.json").read_bytes()
        assert main(["train", *RELATIVE]) == 0
        assert (made / "DONE.json").read_bytes() == done
        assert main(["train", f"resume={made}", "trainer.max_steps=5"]) == 0
        assert read_json(made / "DONE.json")["step"] == 5
    finally:
        shutil.rmtree(made)
        copy.rename(made)
