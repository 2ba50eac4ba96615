import pytest
import torch
from tiny_run import plan

from tl_search.training.fit import fit


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A run of 14 steps that nothing disturbed; only to be read."""
    folder = tmp_path_factory.mktemp("finished")
    fit(plan(folder), folder / "run")
    return folder / "run"
