"""What is reached without a model: scored once, kept as cells, and absent where there is nothing to tell apart."""

import pytest

from tl_search.runs.outcome import Chance
from tl_search.scoring.evaluation import describe
from tl_search.scoring.ledger import Ledger
from tl_search.scoring.processes import Scorers
from tl_search.scoring.texts import task_texts
from tl_search.scoring.uncertainty import resample
from tl_search.search.chance import chance_scores


def test_random_vectors_and_lengths_are_scored_once_and_then_read(tiny, tmp_path, monkeypatch):
    names = ("TinyClassification", "TinySTS")
    specs, texts = [describe(name, "confirmation") for name in names], {n: task_texts(n, "confirmation") for n in names}
    first = chance_scores(specs, texts, Ledger(tmp_path), Scorers())
    assert first["TinyClassification"].random == pytest.approx(25, abs=12)  # four classes
    assert first["TinySTS"].random == pytest.approx(0, abs=25)
    monkeypatch.setattr(resample, "estimate_cell", lambda *_: pytest.fail("scored again"))
    assert chance_scores(specs, texts, Ledger(tmp_path), Scorers()) == first


def test_a_rule_without_a_score_has_none_and_ends_nothing(tiny, tmp_path, monkeypatch):
    def refuse(arm, task, vectors):
        raise ValueError("vectors: all 5 are equal")

    monkeypatch.setattr(resample, "estimate_cell", refuse)
    spec = describe("TinySTS", "confirmation")
    found = chance_scores([spec], {"TinySTS": task_texts("TinySTS", "confirmation")}, Ledger(tmp_path), Scorers())
    assert found == {"TinySTS": Chance(None, None)}
