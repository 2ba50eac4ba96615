"""Files of checkpoints that people mix up, cut off or damage: each is one line that names the file and what it is."""

import json
import shutil
import time
from pathlib import Path

import pytest
import torch
from probe.tiny_models import make
from security.conftest import TRAINING
from security.test_security_states import sign

from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.checkpoints.run import RunCheckpoints
from tl_search.cli.main import main
from tl_search.probe.loading import load_model
from tl_search.runs.layout import RunPaths
from tl_search.runs.target import Start
from tl_search.store.manifest import DamagedError
from tl_search.training.start import check_start, starting_state

RUN = Path(TRAINING)
STATE, WEIGHTS = RUN / "checkpoints/step6/state.ckpt", "model.safetensors"


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


# What lies in the place of a file, made from what should lie there; None is nothing at all.
DAMAGES = {
    "missing": (lambda content: None, "missing"),
    "empty": (lambda content: b"", "0 bytes"),
    "a folder": (lambda content: Path, "is a folder"),
    "cut at a tenth": (lambda content: content[: len(content) // 10], "bytes, expected"),
    "cut by a byte": (lambda content: content[:-1], "bytes, expected"),
    "a flipped bit": (flipped, r"sha256 differs from MANIFEST\.json \(interrupted copy\?\)"),
    "text": (lambda content: b"weights to follow\n", "18 bytes, expected"),
    "zeros": (lambda content: bytes(len(content)), "nothing but zeros"),
    "a web page": (lambda content: b"<!DOCTYPE html><html>Log in</html>", "it is a web page"),
    "a pointer": (
        lambda content: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "it is a pointer of Git LFS and not the file itself, which git lfs pull brings",
    ),
}  # fmt: skip


def put(file: Path, make) -> None:
    content = make(file.read_bytes())
    file.unlink()  # it may be a second name of another one
    if content is Path:
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_state_is_refused_and_an_older_one_is_used_if_there_is_one(study, name):
    damage, said = DAMAGES[name]
    put(STATE, damage)
    for start in (Start(RUN), Start(RUN, "step6")):
        with pytest.raises(ValueError, match=rf"^resume: damaged training state: {STATE}: [^\n]*{said}"):
            check_start(RUN, start)
    assert not RunPaths(RUN).quarantine.exists()


def test_a_run_without_a_named_state_falls_back_to_the_older_one(trained, tmp_path):
    run = Path(shutil.copytree(trained, tmp_path / "run", symlinks=True))
    put(run / "checkpoints/step4/state.ckpt", DAMAGES["a pointer"][0])
    with pytest.warns(
        UserWarning, match=r"damaged training state .*step4.* pointer of Git LFS .*; moved to .*, trying"
    ):
        assert starting_state(run, Start())[1] == 2


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_weights_of_a_run_are_refused_when_they_are_fetched(study, name):
    damage, said = DAMAGES[name]
    source = RunCheckpoints(TRAINING)
    revision = source.revisions()[-1]
    put(RUN / "revisions" / revision.name / WEIGHTS, damage)
    with pytest.raises(DamagedError, match=rf"{revision.name}/{WEIGHTS}: [^\n]*{said}"):
        source.fetch(revision)


def test_a_flipped_bit_is_seen_in_a_folder_that_was_copied_out_of_a_run(study, tmp_path):
    for name in ("step4", "step6"):
        shutil.copytree(RUN / "revisions" / name, tmp_path / "copied" / name)
    last = tmp_path / "copied" / "step6"
    put(last / WEIGHTS, flipped)
    source = FolderCheckpoints(str(last.parent))
    revision = source.revisions()[-1]
    with pytest.raises(DamagedError, match=rf"step6/{WEIGHTS}: its sha256 differs from MANIFEST"):
        source.fetch(revision)
    (last / "MANIFEST.json").write_text('{"files": null}')  # as other programs may have one
    assert source.fetch(revision) == last


def overlapping(content: bytes) -> bytes:
    """Two tensors that claim the same bytes."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    first, second, *_ = sorted(name for name in header if name != "__metadata__")
    header[first] = header[second]
    changed = json.dumps(header).encode()
    return len(changed).to_bytes(8, "little") + changed + content[8 + length :]


LOADED = {
    **{
        name: (damage, name)
        for name, (damage, _) in DAMAGES.items()
        if name not in ("missing", "a flipped bit", "a folder")
    },
    "a header of 2**60 bytes": (lambda content: (2**60).to_bytes(8, "little") + b"{}", "header"),
    "overlapping offsets": (overlapping, "header"),
    "no header": (lambda content: (9).to_bytes(8, "little") + b"[1, 2, 3]", "header"),
}


@pytest.mark.parametrize("name", LOADED)
def test_damaged_weights_of_a_folder_are_one_line_at_once(tmp_path, name):
    folder = make(tmp_path / "step1", num_hidden_layers=1)
    put(folder / WEIGHTS, LOADED[name][0])
    began = time.monotonic()
    with pytest.raises(ValueError, match=rf"^{folder}(/{WEIGHTS})?: ") as caught:
        load_model(folder, torch.float32)
    assert "\n" not in str(caught.value)
    if name in DAMAGES and name not in ("text", "cut at a tenth", "cut by a byte"):
        assert DAMAGES[name][1].removeprefix("it ") in str(caught.value)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("gone", [WEIGHTS, "config.json"])
def test_a_folder_that_is_no_model_is_left_out_by_name(tmp_path, caplog, gone):
    for number in (1, 2):
        make(tmp_path / f"step{number}", seed=number, num_hidden_layers=1)
    (tmp_path / "step2" / gone).unlink()
    assert [revision.name for revision in FolderCheckpoints(str(tmp_path)).revisions()] == ["step1"]
    assert "step2: left out, since the folder holds no model (config.json and model.safetensors)" in caplog.text


def refused(capsys, *words: str) -> str:
    before = {path: path.lstat().st_mtime_ns for path in Path("runs").rglob("*") if "cache" not in path.parts}
    capsys.readouterr()
    assert main([*words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    assert {path: path.lstat().st_mtime_ns for path in Path("runs").rglob("*") if "cache" not in path.parts} == before
    return said.removeprefix("error: ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("model.blocks=3", "model.blocks was 2, now 3"),
        ("model.context=32", "model.context was 16, now 32"),
        ("optimizer={lr:0.1}", "optimizer.lr was 0.001, now 0.1"),
        ("optimizer.betas=[0.9,0.99]", "optimizer.betas"),
    ],
)
def test_a_state_of_another_model_or_optimizer_is_refused_with_the_difference(study, capsys, change, said):
    assert said in refused(capsys, "train", f"resume={TRAINING}", "data.corpus.path=text", change)


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_state_with_weights_that_are_not_finite_is_refused_by_name(study, capsys, weight):
    state = torch.load(STATE, weights_only=True)
    name = next(iter(state["state_dict"]))
    state["state_dict"][name].view(-1)[3] = weight
    torch.save(state, STATE)
    sign(STATE.parent)
    said = refused(capsys, "train", f"resume={TRAINING}", "data.corpus.path=text", "trainer.max_steps=8")
    assert said.startswith(f"resume: {STATE}")
    assert f"state_dict.{name} has numbers that are not finite" in said


def test_classes_that_a_state_names_are_not_made(study, marker):
    state = torch.load(STATE, weights_only=True)
    named = {"_instantiator": "os.system", "_class_path": "os.system", "command": f"touch {marker}"}
    state |= {"hyper_parameters": named, "hparams_name": "kwargs", "datamodule_hyper_parameters": named, **named}
    torch.save(state, STATE)
    sign(STATE.parent)
    (RUN / "DONE.json").unlink()
    assert main(["train", f"resume={TRAINING}", "data.corpus.path=text", "trainer.max_steps=7"]) == 0
    assert not marker.exists()
