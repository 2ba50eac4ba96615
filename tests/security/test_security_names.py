"""Names that would steer a terminal, or look like more lines than they are, are shown escaped."""

import csv
import io
import json
import logging
import unicodedata
from contextlib import redirect_stdout

import pytest

from tl_search.cli.main import main
from tl_search.errors.door import Door, guarded
from tl_search.errors.printable import printable
from tl_search.report.tables import CSV, print_data

HOSTILE = "a\x1b]0;gone\x07\x9b2J\u202egnp\u2066\u2028\r\nerror: all is well"
SHOWN = r"a\x1b]0;gone\x07\x9b2J\u202egnp\u2066\u2028\r\nerror: all is well"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def quoted(text: str) -> str:
    return "'" + text + "'"


@pytest.mark.parametrize(
    "words",
    [
        [HOSTILE],
        ["help", HOSTILE],
        ["report", HOSTILE],
        ["evaluate", f"{HOSTILE}@best"],
        ["search", HOSTILE],
        ["train", f"--{HOSTILE}"],
        ["train", f"name={quoted(HOSTILE)}"],
        ["train", f"model={quoted(HOSTILE)}"],
        ["train", f"seed={quoted(HOSTILE)}"],
        ["train", f"resume={quoted(HOSTILE)}"],
        ["train", f"+x={{{quoted(HOSTILE)}: 1}}"],
        ["train", f"plugins=[{HOSTILE}]"],
        ["train", f"launchers={quoted(HOSTILE)}"],
        ["train", "--cfg", HOSTILE],
        ["train", "-cd", HOSTILE],
        ["train", f"data.corpus.path={quoted(HOSTILE)}", "data=files"],
        ["schedule", f"from={quoted(HOSTILE)}"],
        ["search", "checkpoints=hub", f"checkpoints.models=[{quoted(HOSTILE)}]"],
        ["search", "checkpoints=hub", f"tasks.names=[{quoted(HOSTILE)}]"],
    ],
)
@pytest.mark.slow_but_every(3)
def test_an_error_that_quotes_a_hostile_name_is_one_line_with_the_name_escaped(words, tmp_path, capsys):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert not steering(err.removesuffix("\n"))
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_folder_is_shown_escaped(tmp_path, capsys):
    run = tmp_path / HOSTILE
    run.mkdir()
    assert main(["report", str(run)]) == 2
    assert f"{SHOWN} is not a run directory" in capsys.readouterr().err
    assert main(["init", str(run)]) == 0
    assert f"{SHOWN}: now holds experiments/" in capsys.readouterr().out


def test_what_a_file_of_a_run_says_is_shown_escaped(tmp_path, capsys):
    (tmp_path / "checkpoints").mkdir()
    line = {"step": 0, "revision": HOSTILE, "tokens": 0, "stage": HOSTILE}
    (tmp_path / "checkpoints/index.jsonl").write_text(json.dumps(line) + "\n")
    (tmp_path / "run.json").write_text(json.dumps({"command": HOSTILE, "name": HOSTILE}))
    main(["report", str(tmp_path)])
    told = "".join(capsys.readouterr())
    assert told
    assert not steering(told.replace("\n", ""))


def test_lines_of_a_log_and_warnings_cannot_be_forged(capsys):
    handler = logging.StreamHandler(stream := io.StringIO())
    handler.setFormatter(logging.Formatter("[%(name)s] %(message)s"))
    logger = logging.getLogger("names")
    logger.addHandler(handler)
    try:
        with guarded():
            logger.warning("%s is 100%% damaged", HOSTILE)
            try:
                raise ValueError(HOSTILE)
            except ValueError:
                logger.exception("failed")
    finally:
        logger.removeHandler(handler)
    first, *others = stream.getvalue().split("\n")
    assert first == f"[names] {SHOWN} is 100% damaged"
    assert not steering("".join(others))
    assert logging.getLogRecordFactory() is logging.LogRecord


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_and_bars_pass_to_a_terminal_and_nothing_else_that_steers_it():
    for stream, colour in ((Terminal(), "\x1b[1;31mred\x1b[0m\x1b[2K\x1b[1A\r"), (io.StringIO(), "plain\r\n\t")):
        Door(stream).write(f"{colour}\x1b]0;title\x07\x1b[2J\u202e")
        assert stream.getvalue() == colour + r"\x1b]0;title\x07\x1b[2J\u202e"


def test_a_command_gives_the_streams_back_and_a_caller_that_redirects_gets_what_is_said():
    with redirect_stdout(io.StringIO()) as out:
        assert main(["--version"]) == 0
        print("\x1b[0m", end="")
    assert out.getvalue().endswith("\n\x1b[0m")


def test_letters_of_every_language_are_shown_as_they_are():
    text = "naïve Ünïcödé 模型 модель 🎉 C:\\new"
    assert printable(text) == text
    assert printable(HOSTILE) == SHOWN
    assert printable("\udc80") == r"\udc80"  # of a file name that is no UTF-8


def steering(text: str) -> list[str]:
    return [character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")]


def test_a_text_that_begins_like_a_formula_is_text_in_a_spreadsheet(capsys):
    texts = ["=cmd|' /C calc'!A0", "+1", "-odd", "@SUM(A1)", "\t=1"]
    print_data([{"run": text, "tags": [text], "varied": {text: 1}, "score": -0.5} for text in texts], CSV)
    for row, text in zip(csv.DictReader(io.StringIO(capsys.readouterr().out)), texts, strict=True):
        assert row == {"run": f"'{text}", "tags": f"'{text}", "varied": f"'{text}=1", "score": "-0.5"}
