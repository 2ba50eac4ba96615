"""A checkpoint source from outside the package needs nothing but what `CheckpointSource` asks for."""

import importlib

import pytest

from tl_search.search.run import run_search, survey
from tl_search.store.atomic import read_json

ARCHIVE = '''
from dataclasses import dataclass
from pathlib import Path

from tl_search.runs.digests import folder_digests
from tl_search.checkpoints.source import ModelShape
from tl_search.plane.revision import Revision


@dataclass(frozen=True)
class Archive:
    """Knows which folders it has; their names say nothing."""

    root: str
    folders: tuple[str, ...]
    model: str = "archived"

    def revisions(self):
        named = enumerate(self.folders)
        return tuple(
            Revision(f"version{n}", 10 * n, None, *folder_digests(Path(self.root, folder))) for n, folder in named
        )

    def fetch(self, revision):
        return Path(self.root, self.folders[revision.step // 10])

    def shape(self):
        return ModelShape(n_layers=2, width=16, parameters=10_000)
'''


@pytest.fixture
def archive(models, tmp_path, monkeypatch):
    (tmp_path / "archive_of_mine.py").write_text(ARCHIVE)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("archive_of_mine").Archive(str(models), ("step64", "step0", "step16"))


def test_its_revisions_make_the_plane(plan, archive):
    plane = survey(plan(checkpoints=archive))
    assert plane.model == "archived"
    assert [(revision.name, revision.step) for revision in plane.revisions] == [
        ("version0", 0),
        ("version1", 10),
        ("version2", 20),
    ]
    assert list(plane.layers) == [0, 1, 2]


def test_it_is_searched_to_the_end(plan, archive, tmp_path):
    assert run_search(plan(checkpoints=archive), tmp_path / "run") == 0
    assert read_json(tmp_path / "run" / "result.json")["final_last"]["arm"] == ["version2", 2]
