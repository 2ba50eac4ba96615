"""Places of a run's text may change; they are compared by what lies there, those of the sources of a mix too."""

from tl_search.runs.places import moved, put_back


def plan(**paths):
    return {"data": {"corpus": {"sources": {name: {"path": path} for name, path in paths.items()}}}, "seed": 1}


def test_a_moved_source_is_named_and_put_back():
    before, now = plan(a="/old", b="/same"), plan(a="/new", b="/same")
    assert moved(before, now) == ["data.corpus.sources.a.path"]
    assert put_back(before, now) == before
    assert moved(before, plan(b="/same", c="/new")) == []
    assert moved({"data": {"corpus": {"path": "/old"}}}, {"data": {"corpus": {"path": "/new"}}}) == ["data.corpus.path"]
