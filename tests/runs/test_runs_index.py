"""The index of a run's revisions."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from tl_search.runs.digests import folder_digests
from tl_search.runs.index import add_revision, index_of, read_index


def revision(folder, weight=1.0, **config):
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"w": np.full(3, weight, np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt_neox", **config}))
    (folder / "tokenizer.json").write_text("{}")
    return folder


def add(run, step, weight=1.0):
    name = f"step{step}"
    folder = revision(run / "revisions" / name, weight)
    return add_revision(run, folder, name=name, step=step, tokens=step * 8, epoch=0, stage="whole", eval_loss=None)


def test_revisions_are_listed_by_rising_step(tmp_path):
    for step in (0, 4, 2):
        add(tmp_path, step, weight=float(step))
    assert [line.step for line in read_index(tmp_path)] == [0, 2, 4]


def test_reading_the_index_of_a_living_run_leaves_its_unfinished_line_alone(tmp_path):
    add(tmp_path, 0)
    index = tmp_path / "checkpoints" / "index.jsonl"
    index.write_bytes(index.read_bytes() + b'{"name": "step2", "st')
    before = index.read_bytes()
    assert [line.name for line in read_index(tmp_path)] == ["step0"]
    assert index.read_bytes() == before


def test_writing_the_same_revision_again_adds_no_line(tmp_path):
    assert add(tmp_path, 2) == add(tmp_path, 2)
    assert len(index_of(tmp_path).records()) == 1


def test_a_revision_that_came_out_different_replaces_the_first(tmp_path):
    add(tmp_path, 2, weight=1.0)
    second = add(tmp_path, 2, weight=2.0)
    assert read_index(tmp_path) == [second]


def test_digests_see_weights_and_architecture_but_not_who_wrote_the_file(tmp_path):
    first = folder_digests(revision(tmp_path / "a", transformers_version="4"))
    assert folder_digests(revision(tmp_path / "b", transformers_version="5")) == first
    assert folder_digests(revision(tmp_path / "c", weight=2.0))[0] != first[0]
    assert folder_digests(revision(tmp_path / "d", rotary_pct=0.5))[0] != first[0]


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"config\.json"):
        folder_digests(tmp_path)
