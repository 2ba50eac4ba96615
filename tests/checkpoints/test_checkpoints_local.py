"""Revisions on this machine: of one of our runs, and in a plain folder."""

import json
import re
import shutil
from itertools import accumulate

import pytest
import torch
from probe.tiny_models import make
from safetensors.torch import load_file, save_file

from tl_search.checkpoints.content import Content, foreign
from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.checkpoints.run import RunCheckpoints
from tl_search.checkpoints.source import from_names, in_training_order
from tl_search.plane.revision import Revision
from tl_search.runs.digests import folder_digests, weight_files
from tl_search.runs.index import add_revision
from tl_search.store.manifest import DamagedError, write_manifest


@pytest.fixture
def run(published, tmp_path):
    """A training run of three revisions, as training writes one."""
    for step in (1000, 0, 1):
        folder = tmp_path / "run" / "revisions" / f"step{step}"
        shutil.copytree(published / folder.name, folder)
        write_manifest(folder)
        add_revision(tmp_path / "run", folder, name=folder.name, step=step, tokens=64 * step, epoch=0, stage="only")
    return tmp_path / "run"


def test_a_run_gives_its_index_by_rising_step(run):
    revisions = RunCheckpoints(str(run)).revisions()
    assert [(revision.name, revision.step, revision.tokens) for revision in revisions] == [
        ("step0", 0, 0),
        ("step1", 1, 64),
        ("step1000", 1000, 64000),
    ]


def test_main_is_another_name_of_the_last_step(run):
    shutil.copytree(run / "revisions" / "step1000", run / "revisions" / "main")
    add_revision(run, run / "revisions" / "main", name="main", step=1000, tokens=64000, epoch=0, stage="only")
    assert [revision.name for revision in RunCheckpoints(str(run)).revisions()] == ["step0", "step1", "step1000"]


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_damaged_file_is_named_on_fetch(run, file):
    source = RunCheckpoints(str(run))
    path = run / "revisions" / "step1" / file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedError, match=file):
        source.fetch(source.revisions()[1])


def test_a_folder_that_was_never_finished_is_refused(run):
    source = RunCheckpoints(str(run))
    (run / "revisions" / "step1" / "MANIFEST.json").unlink()
    with pytest.raises(DamagedError, match="never finished"):
        source.fetch(source.revisions()[1])


def test_a_folder_with_another_revision_is_refused(run, published):
    source = RunCheckpoints(str(run))
    listed = source.revisions()
    shutil.rmtree(run / "revisions" / "step1")
    shutil.copytree(published / "step0", run / "revisions" / "step1")
    write_manifest(run / "revisions" / "step1")
    with pytest.raises(DamagedError, match="not the same as in the index"):
        source.fetch(listed[1])


def test_a_revision_whose_files_are_gone_is_left_out_with_a_warning(run, caplog):
    shutil.rmtree(run / "revisions" / "step1")
    assert [revision.step for revision in RunCheckpoints(str(run)).revisions()] == [0, 1000]
    assert "step1: left out" in caplog.text


@pytest.mark.parametrize("kind", [RunCheckpoints, FolderCheckpoints])
def test_a_missing_folder_is_one_clear_line(kind, tmp_path):
    with pytest.raises(ValueError, match=r"path: must be .* got '.*nowhere', which does not exist"):
        kind(str(tmp_path / "nowhere")).revisions()


@pytest.mark.parametrize("kind", [RunCheckpoints, FolderCheckpoints])
def test_a_folder_without_revisions_is_one_clear_line(kind, tmp_path):
    with pytest.raises(ValueError, match=r"path: must .*"):
        kind(str(tmp_path)).revisions()


def test_a_folder_of_models_reads_both_spellings_of_a_step(tmp_path):
    make(tmp_path / "step-20", seed=1)
    make(tmp_path / "step3", seed=2)
    make(tmp_path / "main", seed=3)
    revisions = FolderCheckpoints(str(tmp_path)).revisions()
    assert [(revision.name, revision.step) for revision in revisions] == [("step3", 3), ("step-20", 20), ("main", 21)]


def test_a_folder_without_a_step_in_its_name_or_without_a_model_is_left_out_with_a_warning(tmp_path, caplog):
    for number, name in enumerate(("main", "final-version", "step-2-of-3", "checkpoint-500", "global_step700")):
        make(tmp_path / name, seed=number)
    (tmp_path / "step9").mkdir()
    (tmp_path / "global_step700" / "model.safetensors").unlink()
    (tmp_path / "logs").mkdir()
    assert [revision.name for revision in FolderCheckpoints(str(tmp_path)).revisions()] == ["checkpoint-500", "main"]
    assert "final-version, step-2-of-3: left out, since the step is read from the name, which must be" in caplog.text
    assert "global_step700, step9: left out, since the folder holds no model" in caplog.text
    assert "logs" not in caplog.text


@pytest.mark.parametrize("text", ["<html>", "[1]"])
@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_model_whose_settings_cannot_be_read_is_left_out_with_a_warning(published, tmp_path, caplog, file, text):
    shutil.copytree(published, tmp_path / "models")
    (tmp_path / "models" / "step1" / file).write_text(text)
    revisions = FolderCheckpoints(str(tmp_path / "models")).revisions()
    assert [revision.name for revision in revisions] == ["step0", "step1000"]
    assert "step1: left out, since its config.json or that of its tokenizer cannot be read" in caplog.text


def test_two_models_at_one_step_are_refused():
    with pytest.raises(ValueError, match="step5 and step-5 differ but are both of step 5"):
        in_training_order([Revision("step5", 5, None, "a", "t"), Revision("step-5", 5, None, "b", "t")])


@pytest.mark.parametrize(
    ("contents", "kept"),
    [
        ({0: "a", 1: "a", 2: "b", 9: "c"}, {0: "a", 2: "b", 9: "c"}),  # a warm-up whose first rate is 0
        ({0: "a", 1: "a", 2: "a", 9: "c"}, {0: "a", 9: "c"}),
        ({0: "a", 1: "a", 2: "b", 3: "a", 9: "c"}, {0: "a", 2: "b", 9: "c"}),  # step3 has the weights of step0, too
        ({0: "a", 1: "b", 2: "a", 9: "c"}, {1: "b", 2: "a", 9: "c"}),  # step0 is a copy of a later model
        ({0: "c", 1: "c", 2: "b", 9: "c"}, {2: "b", 9: "c"}),  # the final model, published as the first ones
        ({0: "a", 3: "c", 4: "b", 9: "c"}, {0: "a", 4: "b", 9: "c"}),
        ({1: "a", 2: "a", 9: "c"}, {2: "a", 9: "c"}),
        ({0: "a", 1: "a"}, {1: "a"}),
        ({0: "a", 1: "b", 9: "c", "main": "c"}, {0: "a", 1: "b", 9: "c"}),  # another name of the last step
        ({0: "a", 1: "b", 9: "c", "main": "b"}, {0: "a", 9: "c", "main": "b"}),  # the final model, published as step1
        ({0: "a", 1: "a", 9: "c", "main": "d"}, {0: "a", 9: "c", "main": "d"}),
    ],
)
def test_of_copies_the_one_is_kept_that_the_weights_belong_to(contents, kept):
    names = {step: step if step == "main" else f"step{step}" for step in contents}
    found, _ = from_names({names[step]: Content(content, "t") for step, content in contents.items()})
    assert {revision.name: revision.weights for revision in found} == {names[step]: kept[step] for step in kept}


@pytest.mark.parametrize(
    ("shards", "found"),
    [
        ("aA bB cC dD", {}),
        ("aA bA cA dA", {}),  # a frozen part
        ("aA bA cB dC", {}),  # a part that is trained later, or a first rate of 0
        ("aA bB cC dD eB fF gG", {"step1": "step4"}),
        ("aA bB cC dG eE fF gG", {"step3": "step6"}),  # a shard of the final model, as in a published family
        ("aA bB cG dG eE fF gG", {"step2": "step6", "step3": "step6"}),
        ("aG bB cC dG eE fF gG", {"step0": "step6", "step3": "step6"}),
        ("aA bA cC dA eE fF gG", {"step3": "step1"}),  # random weights in a later step
        ("aA bB cC dA eE fF gG", {"step0": "step3"}),
        ("aA bA cC dA eA fA gA", {}),  # one step broke out of a frozen part
        ("aA bB cA", {"step0": "step2"}),
    ],
)
def test_a_shard_of_a_step_far_away_is_foreign_and_a_frozen_part_is_not(shards, found):
    parts = {f"step{step}": tuple(pair) for step, pair in enumerate(shards.split())}
    assert foreign([Revision(name, step) for step, name in enumerate(parts)], parts) == found


def test_a_run_with_a_shard_of_a_step_far_away_is_searched_without_that_revision(published, tmp_path, caplog):
    for step in (0, 1, 1000):
        folder = shutil.copytree(published / f"step{step}", tmp_path / "run" / "revisions" / f"step{step}")
        tensors = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
        parts = sorted(tensors)[::2], sorted(tensors)[1::2]
        for number, names in enumerate(parts, 1):
            save_file({name: tensors[name] for name in names}, folder / f"model-0000{number}-of-00002.safetensors")
    last, first = folder, tmp_path / "run" / "revisions" / "step0"
    shutil.copy(last / "model-00002-of-00002.safetensors", first)
    for step in (0, 1, 1000):
        folder = first.with_name(f"step{step}")
        write_manifest(folder)
        add_revision(tmp_path / "run", folder, name=folder.name, step=step, tokens=step, epoch=0, stage="only")
    found = RunCheckpoints(str(tmp_path / "run")).revisions()
    assert [revision.name for revision in found] == ["step1", "step1000"]
    assert "step0: left out, since part of the weights is that of step1000" in caplog.text
    assert len(RunCheckpoints(str(tmp_path / "run"), suspects=True).revisions()) == 3
    assert "step0: kept, though part of the weights is that of step1000" in caplog.text


@pytest.mark.parametrize("form", ["another header", "another order", "pickle"])
def test_the_same_numbers_in_other_bytes_are_one_revision_of_a_folder(tmp_path, caplog, form):
    for number, name in enumerate(("step1", "step5", "step9")):
        make(tmp_path / name, seed=number)
    shutil.copytree(tmp_path / "step5", tmp_path / "step7")
    file = tmp_path / "step7" / "model.safetensors"
    tensors = load_file(file)
    config = json.loads((tmp_path / "step7" / "config.json").read_text())
    (tmp_path / "step7" / "config.json").write_text(json.dumps({**config, "torch_dtype": "float32"}))
    file.unlink()
    if form == "pickle":
        tied = {"lm_head.weight": tensors["embed_in.weight"]}  # which safetensors write once
        torch.save({**tensors, **tied}, file.with_name("pytorch_model.bin"))
    elif form == "another order":
        data = {name: tensors[name].numpy().tobytes() for name in sorted(tensors, reverse=True)}
        ends = [*accumulate(map(len, data.values()))]
        facts = {
            name: {"dtype": "F32", "shape": [*tensors[name].shape], "data_offsets": [end - len(data[name]), end]}
            for name, end in zip(data, ends, strict=True)
        }
        header = json.dumps(facts).encode()
        file.write_bytes(len(header).to_bytes(8, "little") + header + b"".join(data.values()))
    else:
        save_file(tensors, file, {"format": "pt", "written_by": "another program"})
    assert [revision.name for revision in FolderCheckpoints(str(tmp_path)).revisions()] == ["step1", "step7", "step9"]
    assert "step5: left out, since the weights are those of step7" in caplog.text


def test_one_number_makes_another_revision(tmp_path):
    make(tmp_path / "step1")
    shutil.copytree(tmp_path / "step1", tmp_path / "step2")
    tensors = load_file(tmp_path / "step2" / "model.safetensors")
    tensors["embed_in.weight"][130, 3] += 1  # neither at the beginning nor at the end
    save_file(tensors, tmp_path / "step2" / "model.safetensors", {"format": "pt"})
    assert [revision.name for revision in FolderCheckpoints(str(tmp_path)).revisions()] == ["step1", "step2"]


def test_a_damaged_file_is_a_revision_that_fails_alone(tmp_path):
    make(tmp_path / "step1")
    shutil.copytree(tmp_path / "step1", tmp_path / "step2")
    (tmp_path / "step2" / "model.safetensors").write_bytes(b"")
    assert len(FolderCheckpoints(str(tmp_path)).revisions()) == 2


def test_the_same_weights_under_another_tokenizer_are_another_revision():
    revisions = [Revision("step5", 5, None, "a", "t"), Revision("step6", 6, None, "a", "u")]
    assert in_training_order(revisions) == tuple(revisions)


def test_safetensors_are_taken_before_pickles_and_never_both():
    names = ["pytorch_model.bin", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "a/model.bin"]
    assert weight_files(names) == ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    assert weight_files(["pytorch_model.bin", "training_args.bin"]) == ("pytorch_model.bin",)
    assert weight_files(["training_args.bin", "adapter_model.safetensors"]) == ()


def test_a_tokenizer_is_told_from_another_and_from_none(tmp_path):
    folder = make(tmp_path / "model")
    with_own = folder_digests(folder)
    (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text().replace("<pad>", "<fill>"))
    other = folder_digests(folder)
    assert other[0] == with_own[0]
    assert other[1] != with_own[1]


def test_a_folder_of_another_kind_is_answered_with_how_it_is_searched(run, tmp_path):
    make(tmp_path / "models" / "step1", seed=1)
    told = {
        tmp_path / "models": "which is a folder of models; checkpoints=folder searches it",
        tmp_path / "models" / "step1": f"a single model; checkpoints=folder checkpoints.path={tmp_path / 'models'}",
        run / "revisions": f"which is a part of the run {run}",
        run / "revisions" / "step1": f"which is a part of the run {run}",
        run.parent: f"which is a folder of runs; did you mean {run}?",
    }
    for folder, said in told.items():
        with pytest.raises(ValueError, match=re.escape(said)):
            RunCheckpoints(str(folder)).check()
    with pytest.raises(ValueError, match="a training run; checkpoints=run searches it"):
        FolderCheckpoints(str(run)).revisions()
