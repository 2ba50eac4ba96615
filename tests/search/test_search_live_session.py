"""Callbacks that look at the same training share what they load."""

import pytest
from live_run import metrics, probe, train

from tl_search.probe import model_cache


@pytest.mark.slow
def test_scoring_and_measuring_while_training_load_one_model_for_all_checkpoints(tiny, tmp_path, monkeypatch):
    loads, real = [], model_cache.load_model
    monkeypatch.setattr(model_cache, "load_model", lambda *given: loads.append(given) or real(*given))
    train(tmp_path, callbacks={"plane_probe": probe(tmp_path), "representation_metrics": metrics()})
    assert len(loads) == 1
    assert list((tmp_path / "run/cache/metrics").rglob("layer_000.json"))
    assert list((tmp_path / "embeddings").rglob("*.safetensors"))
