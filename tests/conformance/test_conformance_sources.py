"""What every source of revisions owes: the same content under the same digests, in training order, verified."""

import shutil

import pytest
from checkpoints.hub_fixtures import MODEL, hub, published  # noqa: F401

from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.checkpoints.hub import HubCheckpoints
from tl_search.checkpoints.run import RunCheckpoints
from tl_search.checkpoints.source import CheckpointSource, ModelShape
from tl_search.runs.digests import folder_digests
from tl_search.runs.index import add_revision
from tl_search.store.manifest import write_manifest


@pytest.fixture(params=["run", "folder", "hub"])
def source(request, published, hub, tmp_path) -> CheckpointSource:  # noqa: F811
    if request.param == "hub":
        return HubCheckpoints((MODEL,), cache=str(tmp_path / "cache"))
    if request.param == "folder":
        return FolderCheckpoints(str(published))
    run = tmp_path / "run"
    for name, step in (("step0", 0), ("step1", 1), ("step1000", 1000), ("main", 1000)):
        shutil.copytree(published / name, run / "revisions" / name)
        write_manifest(run / "revisions" / name)
        add_revision(run, run / "revisions" / name, name=name, step=step, tokens=step, epoch=0, stage="only")
    return RunCheckpoints(str(run))


def test_revisions_come_by_rising_step_each_content_once(source):
    revisions = source.revisions()
    assert [(revision.name, revision.step) for revision in revisions] == [
        ("step0", 0),
        ("step1", 1),
        ("step1000", 1000),
    ]
    assert len({revision.weights for revision in revisions}) == 3
    assert source.revisions() == revisions


def test_digests_are_those_of_the_files(source, published):  # noqa: F811
    for revision in source.revisions():
        assert (revision.weights, revision.tokenizer) == folder_digests(published / revision.name)


def test_fetch_gives_a_loadable_folder_with_the_listed_content(source):
    import transformers

    for revision in source.revisions():
        folder = source.fetch(revision)
        assert folder_digests(folder) == (revision.weights, revision.tokenizer)
        assert transformers.AutoModel.from_pretrained(folder).config.num_hidden_layers == 3
        assert transformers.AutoTokenizer.from_pretrained(folder)("a")["input_ids"]


def test_the_shape_is_that_of_the_model(source):
    import transformers

    shape = source.shape()
    model = transformers.AutoModel.from_pretrained(source.fetch(source.revisions()[0]))
    assert shape == ModelShape(3, 16, model.num_parameters())


def test_the_model_has_a_name(source):
    assert source.model
