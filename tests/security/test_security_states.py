"""A training state whose parts have the wrong shape is refused, also when its manifest fits; no claim is believed."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from runs.conftest import old_runs  # noqa: F401  a fixture
from training.tiny_run import PLAN

from tl_search.cli.main import main
from tl_search.runs import index, signed
from tl_search.runs.index import read_index
from tl_search.runs.layout import RunPaths
from tl_search.runs.states import newest_state, states_of, whole_state
from tl_search.store.archives import check_archive
from tl_search.store.manifest import NAME, write_manifest
from tl_search.training.branch import Branch, OptimizerState
from tl_search.training.families.pythia import Pythia
from tl_search.training.full_state import load_state
from tl_search.training.packed_text import mapped
from tl_search.training.start import check_state
from tl_search.training.state_fits import BRANCH, check_fits
from tl_search.training.tokens import ByteTokenizer

TRAINING = Path("runs/train/longer-9a5d7c9c")
RESUME = ("train", f"resume={TRAINING}", "data.corpus.path=text")


@pytest.fixture
def study(old_runs, monkeypatch):  # noqa: F811
    monkeypatch.chdir(old_runs)
    monkeypatch.setattr(index, "_told", set())
    return old_runs


@pytest.fixture
def file(study):
    """The newest state of a run that somebody shared."""
    return RunPaths(TRAINING).state(6) / "state.ckpt"


def sign(folder: Path, **changed: object) -> None:
    """Write the manifest of what lies there now, as whoever made it would."""
    facts = {**json.loads((folder / NAME).read_text()), **changed}
    del facts["files"]
    write_manifest(folder, **facts)


def put(state: dict, place: str, value: object) -> None:
    *way, last = (int(name) if name.isdigit() else name for name in place.split("/"))
    for name in way:
        state = state[name]
    if value is ...:
        del state[last]
    else:
        state[last] = value


SHAPES = [
    ("loops", None),
    ("loops", {}),
    ("loops", [1]),
    ("loops/fit_loop", None),
    ("loops/fit_loop", {}),
    ("optimizer_states", []),
    ("optimizer_states", None),
    ("optimizer_states", [7]),
    ("optimizer_states", [{}]),
    ("optimizer_states", [{"state": {}, "param_groups": []}]),
    ("optimizer_states", [{"state": None, "param_groups": [{}]}]),
    ("lr_schedulers", {"a": 1}),
    ("lr_schedulers", [None]),
    ("lr_schedulers", []),
    ("callbacks/Measurements", None),
    ("global_step", 4),
    ("global_step", "6"),
    ("global_step", 10**30),
    ("epoch", None),
    ("state_dict", {}),
    ("state_dict", [1]),
    ("state_dict", {"weight": 7}),
    ("callbacks", None),
    ("callbacks", [1]),
    ("callbacks/BestCheckpoint[best]", None),
    ("callbacks/BestCheckpoint[best]", {}),
    ("callbacks/BestCheckpoint[best]/kept", [[1]]),
    ("callbacks/BestCheckpoint[best]/kept", [["a", "b"]]),
    ("callbacks/BestCheckpoint[best]/seen", "x"),
    ("callbacks/BestCheckpoint[best]/best", {"step": "x"}),
    ("callbacks/BestCheckpoint[best]/best/name", "../../x"),
    ("pytorch-lightning_version", ["2"]),
]


@pytest.mark.parametrize(("place", "value"), SHAPES, ids=[f"{place}={value}" for place, value in SHAPES])
def test_a_state_with_a_part_of_another_shape_is_refused(file, place, value):
    state = torch.load(file, weights_only=True)
    put(state, place, value)
    torch.save(state, file)
    with pytest.raises(ValueError, match=r"^resume: .*state\.ckpt") as caught:
        check_state(file, 6)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def momentum() -> dict:
    """The state of another optimizer, after a step."""
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), momentum=0.9)
    model(torch.ones(2)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


FIRST = "gpt_neox.embed_in.weight"
OTHERS = [
    (f"state_dict/model.{FIRST}", torch.zeros(3, 3), f"is of another model: {FIRST} is 3 × 3, must be 257 × 8"),
    (f"state_dict/model.{FIRST}", ..., f"is of another model: {FIRST} is missing"),
    ("state_dict/model.head", torch.zeros(1), "another model: head is 1, and the model has none of this name"),
    ("state_dict", {"model.x": torch.zeros(1)}, "is missing; and 24 more"),
    ("optimizer_states/0", momentum(), "this AdamW: it has dampening, momentum, nesterov, which are settings of"),
    ("optimizer_states/0/param_groups/0/params", [0], r"its groups have \[1, 18\] weights, must have \[10, 18\]"),
    ("optimizer_states/0/state/0/exp_avg", torch.zeros(3), "exp_avg of weight 0 is 3, must be 257 × 8"),
    ("optimizer_states/0/state/0", None, ": damaged"),
    ("optimizer_states/0/param_groups", [{"lr": 1.0}], "damaged, has no entry 'params'"),
]


@pytest.mark.parametrize(("place", "value", "said"), OTHERS, ids=[said for *_, said in OTHERS])
def test_a_state_of_another_model_or_optimizer_is_told_by_its_first_tensors(file, place, value, said):
    state = torch.load(file, weights_only=True)
    put(state, place, value)
    torch.save(state, file)
    own = replace(PLAN, model=Pythia(width=8, blocks=2, heads=2, context=16, rotary_share=0.5))
    with pytest.raises(ValueError, match=rf"^resume: .*state\.ckpt.*({said})") as caught:
        check_fits(file, own, ByteTokenizer().build(()))
    assert "\n" not in str(caught.value)


def test_a_branch_with_a_new_optimizer_takes_nothing_of_the_old_one(file):
    state = torch.load(file, weights_only=True)
    put(state, "optimizer_states/0", momentum())
    torch.save(state, file)
    own = replace(PLAN, model=Pythia(width=8, blocks=2, heads=2, context=16, rotary_share=0.5))
    with pytest.raises(ValueError, match=r"^branch_from: .*state\.ckpt does not hold the state of this AdamW"):
        check_fits(file, own, ByteTokenizer().build(()), BRANCH)
    own = replace(own, branch_from=f"{TRAINING}@step6", branch=Branch(optimizer=OptimizerState.reset))
    check_fits(file, own, ByteTokenizer().build(()), BRANCH)


DEEPER = [
    (f"state_dict/model.{FIRST}", torch.zeros(3, 3), "is of another model"),
    ("loops/fit_loop/epoch_progress", None, "does not fit the run"),
    ("loops/fit_loop/epoch_loop.batch_progress", {}, "does not fit the run"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("place", "value", "words"), DEEPER, ids=[place for place, *_ in DEEPER])
def test_a_state_that_does_not_fit_the_run_is_one_line(file, capsys, place, value, words):
    state = torch.load(file, weights_only=True)
    put(state, place, value)
    torch.save(state, file)
    sign(file.parent)
    (TRAINING / "DONE.json").unlink()
    code = main([*RESUME, "trainer.max_steps=7"])
    said = capsys.readouterr().err
    assert code == 2, said
    assert f"state.ckpt {words}" in said
    assert "Traceback" not in said
    assert said.count("error: ") == 1


def test_a_state_of_another_step_is_refused_by_the_command(file, capsys):
    state = torch.load(file, weights_only=True)
    torch.save({**state, "global_step": 3}, file)
    sign(file.parent)
    before = {path: path.stat().st_mtime_ns for path in TRAINING.rglob("*")}
    assert main([*RESUME, "trainer.max_steps=7"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "state.ckpt: damaged (global_step is 3, and its folder says 6)" in said
    assert {path: path.stat().st_mtime_ns for path in TRAINING.rglob("*")} == before


def test_an_archive_that_unpacks_to_more_than_it_holds_is_not_unpacked(file, monkeypatch):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 50_000_000)
    monkeypatch.setattr(torch, "load", None)  # it is not asked
    with pytest.raises(ValueError, match=r"state\.ckpt.* cannot be read as a training state"):
        load_state(file)
    with pytest.raises(ValueError, match=r"is a compressed archive \(.* which unpack to 50,000,000\)"):
        check_archive(file)


def test_what_torch_writes_is_no_such_archive(file, tmp_path):
    check_archive(file)
    torch.save(torch.zeros(5), tmp_path / "old", _use_new_zipfile_serialization=False)
    check_archive(tmp_path / "old")


def test_a_tensor_that_claims_more_than_the_file_holds_is_refused(file):
    state = torch.load(file, weights_only=True)
    state["state_dict"]["huge"] = torch.zeros(1).expand(10**12)
    torch.save(state, file)
    with pytest.raises(ValueError, match=r"has a tensor of 1,000,000,000,000 numbers"):
        load_state(file)


@pytest.mark.parametrize(
    "header",
    [
        {"descr": "<u2", "fortran_order": False, "shape": (10**18,)},
        {"descr": "<f8", "fortran_order": False, "shape": (1,)},
        {"descr": "|O", "fortran_order": False, "shape": (1,)},
        {"descr": "<u2", "fortran_order": False, "shape": (1, 1)},
        None,
    ],
    ids=["too long", "no integers", "objects", "two axes", "no header"],
)
def test_tokens_are_a_row_of_integers_or_one_line(tmp_path, header):
    import numpy as np

    path = tmp_path / "train.npy"
    with path.open("wb") as rows:
        if header is not None:
            np.lib.format.write_array_header_1_0(rows, header)
        rows.write(b"\0" * 64)
    with pytest.raises(ValueError, match=r"train\.npy: damaged"):
        mapped(path)


def test_a_changed_fact_of_a_manifest_is_noticed_even_if_its_own_digest_was_made_again(study, caplog):
    folder = RunPaths(TRAINING).revision("step4")
    sign(folder, eval_loss=0.001)
    lines = {line.name: line.eval_loss for line in read_index(TRAINING)}
    assert "step4 is not as it was written" in caplog.text
    assert lines["step4"] == 0.001  # a manifest is what the index follows from


def test_a_changed_line_of_the_index_is_noticed(study, caplog):
    path = RunPaths(TRAINING).index
    path.write_text(path.read_text().replace('"step":4,"tokens":128', '"step":4,"tokens":129'))
    sign(RunPaths(TRAINING).revision("step4"))
    assert {line.name: line.tokens for line in read_index(TRAINING)}["step4"] == 128
    assert "step4 is not as it was written" in caplog.text


def test_what_a_states_manifest_says_is_kept_a_second_time(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run, symlinks=True)
    folder, step = states_of(run)[0]
    facts = {name: fact for name, fact in json.loads((folder / NAME).read_text()).items() if name != "files"}
    assert whole_state(run, folder.name) == (folder / "state.ckpt", step)
    sign(folder, for_good=True)
    with pytest.raises(ValueError, match=r"MANIFEST\.json: is not as it was written \(states\.jsonl says so\)"):
        whole_state(run, folder.name)
    with pytest.warns(UserWarning, match="is not as it was written"):
        assert newest_state(run)[1] < step  # it goes into quarantine, and an older one is used
    assert "for_good" not in facts


def test_a_run_from_before_goes_on_without_that(file):
    assert not RunPaths(TRAINING).signed.exists()
    assert whole_state(TRAINING, "step6") == (file, 6)


def test_a_state_counts_whose_second_writing_was_killed(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run, symlinks=True)
    folder, _ = states_of(run)[0]
    signed.sign(run, folder.name, {"files": {}, "step": 7})  # and then no state of that name came
    assert whole_state(run, None)[0].parent == folder


@pytest.mark.parametrize("line", ["[]", '{"name": "../../x", "manifest": "a"}', '{"name": 3}'])
def test_a_damaged_line_is_one_line(trained, tmp_path, line):
    run = tmp_path / "run"
    shutil.copytree(trained, run, symlinks=True)
    RunPaths(run).signed.write_text(line + "\n")
    with pytest.raises(ValueError, match=r"states\.jsonl: line 1: damaged"):
        whole_state(run, None)
