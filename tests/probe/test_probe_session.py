"""What a session keeps between columns is its own, and ends with it."""

import ast
import gc
import multiprocessing
import weakref
from pathlib import Path

import numpy as np
from probe.tiny_models import make

import tl_search.probe
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.probe import model_cache, tokens
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import column_vectors
from tl_search.probe.session import ProbeSession

TEXTS = ["a", "some longer text", "hello"]
PLAIN = Extraction(dtype=Dtype.float32)
CPU = ProbeConfig("cpu")


def vectors(folder, session):
    return column_vectors(Revision(folder.name, 1, None, folder.name, "t"), folder, TEXTS, PLAIN, session)


def counted(monkeypatch, module, name):
    calls, real = [], getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given: calls.append(given) or real(*given))
    return calls


def test_a_session_loads_one_model_and_one_tokenizer_for_all_revisions_of_a_run(tmp_path, monkeypatch):
    folders = [make(tmp_path / f"step{seed}", seed=seed) for seed in range(3)]
    models, tokenizers = (
        counted(monkeypatch, model_cache, "load_model"),
        counted(monkeypatch, tokens, "load_tokenizer"),
    )
    with ProbeSession(CPU) as session:
        for folder in (*folders, folders[0]):
            vectors(folder, session)
        column_vectors(Revision("x", 1, None, "step0", "t"), folders[0], ["other"], PLAIN, session)
    assert len(models) == len(tokenizers) == 1


def test_sessions_beside_each_other_do_not_touch_each_others_model(tmp_path):
    first, second = (make(tmp_path / name, seed=seed) for seed, name in enumerate(("first", "second")))
    alone = [vectors(folder, ProbeSession(CPU)) for folder in (first, second)]
    with ProbeSession(CPU) as one, ProbeSession(CPU) as two:
        kept = one.models.probe(Revision("first", 1, None, "first", "t"), first, PLAIN)
        assert np.array_equal(vectors(second, two), alone[1])
        assert one.models.probe(Revision("first", 1, None, "first", "t"), first, PLAIN) is kept
        assert np.array_equal(vectors(first, one), alone[0])


def test_the_end_of_a_session_frees_its_model_and_ends_its_processes(tmp_path):
    before = set(multiprocessing.active_children())
    with ProbeSession(ProbeConfig("cpu", devices=2)) as session:
        folder = make(tmp_path / "model")
        model = weakref.ref(session.models.probe(Revision("a", 1, None, "w", "t"), folder, PLAIN).model)
        assert session.ranks.alive
        assert session.ranks is session.ranks
        assert len(set(multiprocessing.active_children()) - before) == 1
    gc.collect()
    assert model() is None
    assert set(multiprocessing.active_children()) <= before


def test_no_module_of_the_room_keeps_anything_by_itself():
    """Nothing is rebound by `global`, and no empty container waits in a module to be filled."""
    for path in Path(tl_search.probe.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text())
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Global)], path
        values = [node.value for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and node.value]
        assert not [value for value in values if ast.unparse(value) in ("{}", "[]", "set()", "dict()", "list()")], path
