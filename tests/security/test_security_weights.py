"""A hostile file of weights costs its column of a search, not the search."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from search.conftest import models, usual_plan  # noqa: F401  the first is a fixture

from tl_search.bandits.exhaustive import Exhaustive
from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.runs.outcome import Outcome
from tl_search.search.budget import Budget
from tl_search.search.run import run_search


def header_of_2_to_the_60(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((2**60).to_bytes(8, "little") + b"{}")


def more_numbers_than_the_file(folder: Path) -> None:
    claim = {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4 * 10**18]}
    header = json.dumps({"embed_in.weight": claim}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 64)


def compressed_archive(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 100_000_000)


@pytest.mark.slow_but_one
@pytest.mark.parametrize("damage", [header_of_2_to_the_60, more_numbers_than_the_file, compressed_archive])
def test_the_search_goes_on_without_the_column_and_says_so(models, tiny, tmp_path, damage):  # noqa: F811
    shared = shutil.copytree(models, tmp_path / "shared")
    damage(shared / "step4")
    parts = {"checkpoints": FolderCheckpoints(str(shared)), "bandit": Exhaustive(), "budget": Budget(share=1.0)}
    assert run_search(usual_plan(models, tmp_path, **parts), tmp_path / "run") == 3
    outcome = Outcome.read(tmp_path / "run")
    assert outcome is not None
    assert {cell.arm.revision for cell in outcome.skipped} == {"step4"}
    assert all("step4" in cell.reason and "\n" not in cell.reason for cell in outcome.skipped)
