"""Tasks that cannot be scored are refused in one line with exit code 2, before anything slow happens."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tl_search.cli.explain import explain
from tl_search.cli.main import main
from tl_search.scoring.catalogue import mteb_names

FIRST = ("search", "checkpoints=folder", "checkpoints.path=models")
SCRIPT = """
import sys
from tl_search.cli.main import main
code = main(sys.argv[1:])
print(code, *sorted({"torch", "mteb", "transformers", "datasets"} & set(sys.modules)))
"""


@pytest.fixture
def models(folder):
    for name in ("step1", "step2"):
        (folder / "models" / name).mkdir(parents=True)
        (folder / "models" / name / "config.json").write_text("{}")
    return folder


def written(folder):
    return [path for path in folder.rglob("*") if path.is_file() and "models" not in path.parts]


@pytest.mark.slow_but_one
@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("tasks.names=[STSBenchmarc]", "tasks.names: no task 'STSBenchmarc'; did you mean STSBenchmark, "),
        ("tasks.names=[StdlibTypoTask]", "tasks.names: no task 'StdlibTypoTask'; "),
        ("probe.accelerator=mps", "probe.accelerator: no MPS device here; must be auto or cpu, got mps"),
        ("probe.accelerator=cuda", "probe.accelerator: no CUDA device here; must be auto or cpu, got cuda"),
    ],
)
def test_a_misspelt_task_or_an_absent_device_is_refused_before_anything_slow_is_imported(models, word, sentence):
    if "accelerator" in word and (sys.platform != "linux" or list(Path("/dev").glob("nvidia*"))):
        pytest.skip("only Linux tells, by its device files, that there is no GPU")
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *FIRST, word],
        env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == "2\n"
    assert done.stderr.startswith(f"error: {sentence}")
    assert len(done.stderr.splitlines()) == 1
    assert not written(models)


def test_a_folder_of_models_is_answered_with_the_setting_that_searches_it(models, capfd):
    for name in ("step1", "step2"):
        (models / "models" / name / "model.safetensors").touch()
    assert main(["search", "models"]) == 2
    assert capfd.readouterr().err == (
        "error: checkpoints.path: must be a training run with revisions, got 'models', which is a folder of models; "
        "checkpoints=folder searches it\n"
    )
    assert not (models / "runs").exists()


def test_an_aggregate_is_refused_with_the_tasks_it_is_made_of(models, capfd):
    assert main([*FIRST, "tasks.names=[VisualSTS17Eng]"]) == 2
    assert capfd.readouterr().err == (
        "error: tasks.names: must be single tasks, got VisualSTS17Eng, which is an aggregate; "
        "name its tasks: STS17MultilingualVisualSTS\n"
    )
    assert not written(models)


def test_every_task_of_mteb_is_known_without_importing_it():
    from mteb.get_tasks import _TASKS_REGISTRY

    known = mteb_names()
    assert not set(_TASKS_REGISTRY) - set(known)
    from mteb.abstasks.aggregated_task import AbsTaskAggregate

    assert all(known[name] for name, task in _TASKS_REGISTRY.items() if issubclass(task, AbsTaskAggregate))


@pytest.mark.parametrize(("offline", "code"), [("1", 2), ("0", 75)])
def test_a_task_that_is_not_here_is_the_persons_to_mend_while_they_said_offline(monkeypatch, offline, code):
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(name, offline)
    for error in (
        OfflineModeIsEnabled("Cannot reach https://huggingface.co/x: offline mode is enabled."),
        LocalEntryNotFoundError("Cannot find an appropriate cached snapshot folder"),
        ConnectionError("Couldn't reach 'mteb/sts' on the Hub (OfflineModeIsEnabled)"),
    ):
        found, line = explain(error)
        assert found == code
        assert line.endswith("; HF_HUB_OFFLINE is set, so nothing is fetched: unset it, or fetch before") == (code == 2)
    assert explain(ConnectionError("Couldn't reach 'mteb/sts' on the Hub (ConnectTimeout)"))[0] == 75


def test_a_search_with_a_task_that_is_not_on_this_machine_ends_with_2_while_offline(models, monkeypatch, capfd):
    from probe.tiny_models import make

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for seed, name in enumerate(("step1", "step2")):
        make(models / "models" / name, seed=seed)
    assert main([*FIRST, "tasks=mteb_validation"]) == 2
    told = capfd.readouterr().err.splitlines()
    assert told[-1].startswith("error: ")
    assert "_OFFLINE is set, so nothing is fetched" in told[-1]
