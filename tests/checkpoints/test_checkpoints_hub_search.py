"""A whole search of a published model: what it leaves out, what it keeps on disk."""

import huggingface_hub
import pytest
from checkpoints.hub_search import search_in
from probe.tiny_models import make

from tl_search.runs.outcome import Outcome

ONE = 47_192 / 10**9  # GB of one revision


@pytest.fixture
def search(hub, tmp_path, monkeypatch):
    """Search it; the exit code and the run."""
    return lambda *words: search_in(tmp_path, monkeypatch, "checkpoints.models=[tiny]", "sampling=dense", *words)


def test_a_search_within_a_quota_says_what_it_left_out(hub, search, tiny, capsys):
    lame = make(hub.root / "EleutherAI" / "tiny" / "step7", seed=7)
    (lame / "config.json").write_text("<html>")
    code, run = search(f"checkpoints.cache_gb={2 * ONE + 0.00002}")
    assert code == 0
    told = "step7: left out, since in EleutherAI/tiny its config.json is not JSON"
    assert told in capsys.readouterr().err
    (left_out,) = Outcome.read(run).revisions_left_out
    assert left_out.startswith(told)
    assert f"Not searched: {told}" in (run / "report" / "index.html").read_text()
    (repo,) = huggingface_hub.scan_cache_dir("cache").repos
    assert repo.size_on_disk <= 2 * ONE * 10**9 + 20_000
    assert search("checkpoints.silence=5")[1] == run  # limits do not make another search
