"""A whole search of a published model: what it leaves out, what it keeps on disk."""

import huggingface_hub
import pytest
from checkpoints.hub_search import search_in
from probe.tiny_models import make

from tl_search.checkpoints.hub import HubCheckpoints
from tl_search.plane.sampling import All, Dense, Listed
from tl_search.runs.outcome import Outcome
from tl_search.runs.searched_plane import SearchedPlane
from tl_search.search.picked import missed

ONE = 47_192 / 10**9  # GB of one revision


@pytest.fixture
def search(hub, tmp_path, monkeypatch):
    """Search it; the exit code and the run."""
    return lambda *words: search_in(tmp_path, monkeypatch, "checkpoints.models=[tiny]", "sampling=dense", *words)


@pytest.mark.slow
def test_a_search_within_a_quota_says_what_it_left_out(hub, search, tiny, capsys):
    lame = make(hub.root / "EleutherAI" / "tiny" / "step7", seed=7)
    (lame / "config.json").write_text("<html>")
    code, run = search(f"checkpoints.cache_gb={2 * ONE + 0.00002}")
    assert code == 3
    told = "step7: left out, since in EleutherAI/tiny its config.json is not JSON"
    assert told in capsys.readouterr().err
    (left_out,) = Outcome.read(run).revisions_left_out
    assert left_out.startswith(told)
    assert SearchedPlane.read(run).left_out == (left_out,)  # from the start of the search on
    assert f"Not searched: {told}" in (run / "report" / "index.html").read_text()
    (repo,) = huggingface_hub.scan_cache_dir("cache").repos
    assert repo.size_on_disk <= 2 * ONE * 10**9 + 20_000
    assert search("checkpoints.silence=5")[1] == run  # limits do not make another search


@pytest.mark.parametrize(
    ("sampling", "missing"), [(Dense(), ["step7"]), (All(), ["step7"]), (Listed(("step1", "main")), [])]
)
def test_a_revision_that_cannot_be_read_is_missed_if_the_sampling_asks_for_it(hub, tmp_path, sampling, missing):
    make(hub.root / "EleutherAI" / "tiny" / "step7", seed=7).joinpath("config.json").unlink()
    source = HubCheckpoints(("tiny",), cache=str(tmp_path / "cache"))
    assert [revision.name for revision in missed(source, sampling)] == missing


@pytest.mark.slow
def test_listed_names_that_the_hub_lacks_are_left_out_or_strictly_refused(hub, search, tiny, capsys):
    words = ("sampling=list", "sampling.revisions=[step1,step77,main]")
    code, run = search(*words)
    assert code == 3
    told = "step77: left out, since tiny has no such revision"
    assert told in Outcome.read(run).revisions_left_out
    assert told in SearchedPlane.read(run).left_out
    assert search(*words)[0] == 3
    assert search(*words, "checkpoints.strict_revisions=true", "name=strict")[0] == 2
    assert f"must be false to go on without revisions; {told}" in capsys.readouterr().err


@pytest.mark.slow
def test_main_alone_is_searched_by_those_who_want_it(hub, search, tiny, capsys):
    for number in (0, 1, 1000):
        (hub.root / "EleutherAI" / "tiny" / f"step{number}" / "model.safetensors").unlink()
    code, run = search("checkpoints.only_main=true")
    assert code == 3  # three revisions are missing
    assert Outcome.read(run).best.arm.revision == "main"
    assert search("name=refused")[0] == 2
    assert "nothing but main can be read" in capsys.readouterr().err
