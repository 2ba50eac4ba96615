"""The named sets of metrics measure what their names promise, as the metrics' own defaults have it."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf
from probe.known_metrics import OF_VIEWS, OPTIONS

from tl_search.cli.config.build import build
from tl_search.probe.measuring.config import Columns, MetricsConfig

CONF = Path(__file__).resolve().parents[2] / "conf" / "metrics"
FAST = {name: options for name, options in OPTIONS.items() if name not in OF_VIEWS}
PRESETS = {
    "all": (Columns.all, OPTIONS),
    "fast": (Columns.all, FAST),
    "none": (Columns.none, FAST),  # what metrics.columns=all measures
}


def test_every_named_set_is_known_here():
    assert {path.stem for path in CONF.glob("*.yaml")} == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_named_set_measures_what_it_promises_with_the_metrics_own_defaults(name):
    columns, measures = PRESETS[name]
    written = OmegaConf.load(CONF / f"{name}.yaml")
    assert OmegaConf.to_container(written)["measures"] == measures  # every option is there to be read
    assert build(OmegaConf.create({"metrics": written}))["metrics"] == MetricsConfig(columns, measures=measures)


def test_a_config_that_was_written_before_the_class_moved_still_builds():
    written = OmegaConf.load(CONF / "fast.yaml")
    before = OmegaConf.merge(written, {"_target_": "tl_search.probe.measuring.config.MetricsConfig"})
    assert build(OmegaConf.create({"metrics": before})) == build(OmegaConf.create({"metrics": written}))
