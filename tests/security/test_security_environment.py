"""What decides where secrets go comes from the person's environment, and a server that is not the Hub is named."""

import os

import pytest

from tl_search.cli import main as cli
from tl_search.cli.main import main

DECIDING = ("HF_ENDPOINT", "hf_endpoint", "HTTPS_PROXY", "WANDB_BASE_URL", "SSL_CERT_FILE", "LD_PRELOAD", "TL_PLUGINS")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").mkdir()


@pytest.mark.parametrize("name", DECIDING)
def test_no_config_sets_a_variable_that_decides_where_secrets_go(name, capsys):
    assert main(["schedule", "horizon.total=9", f"+hydra.job.env_set.{name}=x"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: hydra.job.env_set")
    assert name in told
    assert told.count("\n") == 1


def test_a_shared_file_neither_sets_nor_copies_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_HOME", "/somewhere")
    before = dict(os.environ)
    for key, value in (("env_set", "{HF_ENDPOINT: 'http://evil'}"), ("env_copy", "[HF_HOME]")):
        (tmp_path / "experiments/x.yaml").write_text(f"# @package _global_\nhydra: {{job: {{{key}: {value}}}}}\n")
        assert main(["train", "experiments=x"]) == 2
        assert capsys.readouterr().err.startswith(f"error: hydra.job.{key}")
    assert [path.name for path in tmp_path.iterdir()] == ["experiments"]
    assert dict(os.environ) == before


def test_threads_and_devices_may_be_set(capsys):
    assert main(["schedule", "horizon.total=9", "+hydra.job.env_set.OMP_NUM_THREADS='2'"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "words",
    [
        ("MLFlowLogger", "tracking_uri=databricks"),
        ("MLFlowLogger", "save_dir='https://evil'"),
        ("WandbLogger", "settings.base_url='http://evil'"),
        ("WandbLogger", "settings.https_proxy=evil"),
        ("NeptuneLogger", "proxies.http=evil"),
    ],
)
def test_no_config_names_the_server_of_a_logger(words, capsys):
    logger, setting = words
    target = f"+logger.x._target_=lightning.pytorch.loggers.{logger}"
    assert main(["train", target, f"+logger.x.{setting}"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: logger.x.{setting.partition('=')[0]}: must be left out: a logger sends its login")
    assert told.count("\n") == 1


HUB = ("search", "checkpoints=hub", "checkpoints.patience=0", "+hydra.job.env_set={}")


@pytest.mark.slow_but_one
@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://me:h0rse-battery@127.0.0.1:9/"])
def test_a_server_that_is_not_the_hub_is_named_first(address, monkeypatch, capsys):
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert main([*HUB]) != 0  # nobody answers there
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("HF_ENDPOINT: EleutherAI/pythia-410m comes from http://")
    assert "127.0.0.1:9 instead of https://huggingface.co, and the access token is sent there" in first
    assert "h0rse" not in first


@pytest.mark.slow
def test_the_hub_itself_is_not_named_nor_is_a_server_that_nothing_comes_from(monkeypatch, capsys):
    monkeypatch.setenv("HF_ENDPOINT", "https://huggingface.co/")
    main([*HUB])
    assert "HF_ENDPOINT" not in capsys.readouterr().err
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert main(["schedule", "horizon.total=9"]) == 0
    assert capsys.readouterr().err == ""


def test_the_hubs_client_tells_nothing_of_this_machine_unless_the_person_says_so(monkeypatch, capsys):
    def seen():
        told = []
        monkeypatch.setattr(cli, "_ended", lambda words: told.append(os.environ["HF_HUB_DISABLE_TELEMETRY"]) or 0)
        assert main(["list"]) == 0
        return told[0], os.environ.get("HF_HUB_DISABLE_TELEMETRY")

    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    assert seen() == ("1", None)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    assert seen() == ("0", "0")
