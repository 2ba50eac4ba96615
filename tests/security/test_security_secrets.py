"""A canary in every place where a secret can get to: it is refused, or masked in all that is written and shown."""

import json
import logging
import sys
import warnings
from pathlib import Path

import pytest
from cli.tiny_training import TINY, only_run

from tl_search.cli.main import main
from tl_search.errors.secrets import MASK, names_secret, redact
from tl_search.scoring.uncertainty import resample

FORM = "hf_canaryCANARYcanaryCANARY"  # known by its form
VALUE = "Zq7-canary.Zq7+of/no=form"  # known only because the environment has it
SIGNS = ("canaryCANARY", "canary.Zq7", "h0rse-battery")  # of a login in an address, too


@pytest.fixture(autouse=True)
def canary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", VALUE)
    monkeypatch.setenv("OTHER", FORM)


def traces(folder: Path) -> list[str]:
    """Every name and every content below a folder in which a canary stands."""
    signs = [sign.encode() for sign in SIGNS]
    return [
        str(path)
        for path in folder.rglob("*")
        if any(sign in (bytes(path) + (path.read_bytes() if path.is_file() else b"")) for sign in signs)
    ]


def told_without_it(capture) -> str:
    out, err = capture.readouterr()
    assert not [sign for sign in SIGNS if sign in out + err]
    return out + err


def leak(where: str) -> str:
    """What a careless library says of a request, in every way in which it can."""
    said = f"{where}: 403 for https://user:h0rse-battery@server/x?token={VALUE} with {FORM}"
    print(said)
    print(said, file=sys.stderr)
    warnings.warn(said, stacklevel=2)
    try:
        raise OSError(said)
    except OSError:
        logging.getLogger("library").exception("%s failed", said, stack_info=True)
    return said


def test_what_commands_write_and_print_never_holds_a_secret(tiny, tmp_path, monkeypatch, capfd):
    real = resample.estimate_cell

    def failing(arm, task, vectors):
        if (arm.layer, task.name) == (1, "TinySTS"):
            raise ValueError(leak("a cell"))
        return real(arm, task, vectors)

    monkeypatch.setattr(resample, "estimate_cell", failing)
    loggers = ("logger=tensorboard", "+logger.csv._target_=lightning.pytorch.loggers.CSVLogger")
    assert main(["train", *TINY, *loggers]) == 0
    quick = ("tasks.names=[TinyPairs,TinySTS]", "confirm.resamples=100", "bandit=exhaustive", "budget.share=1")
    words = ("probe.accelerator=cpu", "extraction.max_length=16", "stopping.epsilon=0", "sampling=dense")
    assert main(["search", str(only_run()), *quick, *words]) == 3
    assert MASK in told_without_it(capfd)
    (run,) = Path("runs/search").glob("*-*")
    for file in ("result.json", "search.log", "report/index.html"):
        assert MASK in (run / file).read_text(), file  # the canary was there
    assert traces(tmp_path) == []

    # a run that somebody else made with less care
    result = json.loads((run / "result.json").read_text())
    result["skipped"][0]["reason"] = f"403 with {FORM} and {VALUE}"
    (run / "result.json").write_text(json.dumps(result))
    assert main(["report", str(run)]) == 0
    assert MASK in told_without_it(capfd)
    assert traces(tmp_path) == [str(tmp_path / run / "result.json")]


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "init {}",
        "report {}",
        "evaluate run@{}",
        "schedule from={}",
        "train resume={}",
        "train runs=runs/{}",
        "train -cd {}",
        "train --cfg job +x={}",
        "train --info config +x={}",
        "train plugins=[{}]",
        "train experiments={}",
        "train model='{}",
        "train +{}=1",
        "train +x={{a:[[{{b:{}}}]]}}",
        "train hydra.job.name={}",
        "train +hydra.job.env_set.X={}",
        "train +logger.w.tags=[{}]",
        "train hydra.searchpath=[file://{}]",
        "train data=files data.corpus.path=https://user:h0rse-battery@server/x",
        "train +logger.w.api-key=h0rse-battery",
        "train +logger.w.accessToken=h0rse-battery",
        "train hydra.run.dir=runs/${{oc.env:OTHER}}",
        "train +x=${{oc.env:HF_TOKEN}}",
    ],
)
@pytest.mark.parametrize("secret", [FORM, VALUE])
def test_a_secret_on_a_command_line_is_refused_and_not_repeated(line, secret, tmp_path, capfd):
    assert main(line.format(secret).split(" ")) == 2
    assert told_without_it(capfd).startswith("error: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        f"name: {FORM}",
        f"nmae: {FORM}",
        f"model: {{width: '{VALUE}'}}",
        f"logger: {{w: {{tags: [a, [b, {{c: {FORM}}}]]}}}}",
        "logger: {w: {password: 12345678}}",
        "logger: {w: {credentials: {user: me, pass: h0rse-battery}}}",
        f"hydra: {{help: {{header: {FORM}}}}}",
        f"hydra: {{launcher: {{setup: ['export A={VALUE}']}}}}",
        f"hydra: {{sweeper: {{params: {{name: '{FORM},b'}}}}}}",
        f"hydra: {{job: {{env_set: {{OMP_NUM_THREADS: {FORM}}}}}}}",
        "hydra: {job: {env_copy: [HF_TOKEN]}}",
        "hydra: {help: {header: '${oc.env:OTHER}'}}",
        "hydra: {run: {dir: 'runs/${oc.env:HF_TOKEN}'}}",
        "extra: ${oc.env:HF_TOKEN}",
        "logger: {w: '${oc.create:{a:[${oc.env:OTHER}]}}'}",
    ],
)
@pytest.mark.slow_but_every(3)
def test_a_secret_in_a_file_is_refused_and_not_repeated(text, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("tl_search.cli.launch.launch", lambda line, jobs: 0)  # so that what is not refused ends at once
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/shared.yaml").write_text(f"# @package _global_\n{text}\n")
    for shown in ([], ["--cfg", "all", "--resolve"]):
        assert main(["train", "experiments=shared", *shown]) == 2
        assert told_without_it(capfd).startswith("error: ")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["experiments", "shared.yaml"]


def test_a_folder_whose_name_is_a_secret_is_refused_and_not_repeated(tmp_path, monkeypatch, capfd):
    (tmp_path / FORM).mkdir()
    monkeypatch.chdir(tmp_path / FORM)
    assert main(["train"]) == 2
    assert "error: hydra.searchpath[0]: secrets are read from the environment" in told_without_it(capfd)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("debug", ["0", "1"])
@pytest.mark.parametrize("kind", [RuntimeError, ValueError, ConnectionError])
def test_an_error_that_quotes_a_secret_is_told_without_it(kind, debug, monkeypatch, capfd):
    from tl_search.cli.commands.schedule import command as schedule

    def fail(plan):
        raise kind(f"403 for {FORM}")

    monkeypatch.setenv("TL_DEBUG", debug)
    monkeypatch.setattr(schedule, "describe", fail)
    assert main(["schedule", "horizon.total=9"]) != 0
    assert f"403 for {MASK}" in told_without_it(capfd)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to https://me:pass@host/x and ssh://git@host", f"to https://{MASK}@host/x and ssh://git@host"),
        ("{'api_key': 'a b', \"password\": \"c\"}", f"{{'api_key': '{MASK}', \"password\": \"{MASK}\"}}"),
        ("Authorization: Bearer abc", f"Authorization: Bearer {MASK}"),
        ("/x?X-Amz-Signature=abc&b=1", f"/x?X-Amz-Signature={MASK}&b=1"),
        ("next_token=1, bos_token=<s>, token=null", "next_token=1, bos_token=<s>, token=null"),
        (f"an={VALUE}", f"an={MASK}"),
    ],
)
def test_secrets_are_masked_by_name_and_place_and_other_words_are_left(text, shown):
    assert redact(text) == shown


def test_paths_and_plain_words_of_the_environment_are_no_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "training")
    monkeypatch.setenv("MY_TOKEN", str(tmp_path))
    assert redact(f"training {tmp_path}") == f"training {tmp_path}"
    assert [name for name in ("token", "hub-token", "apiKey", "pad_token", "tokens") if names_secret(name)] == [
        *("token", "hub-token", "apiKey"),
    ]
