"""A metric is one file, also in a folder outside the package."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from probe.known_metrics import OPTIONS
from probe.tiny_models import make

from tl_search import plugins
from tl_search.cli import commands
from tl_search.cli.config.compose import compose_job, configs, parse
from tl_search.cli.config.preflight import check
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import column_vectors
from tl_search.probe.measuring.column import measure_column
from tl_search.probe.measuring.config import MetricsConfig
from tl_search.probe.measuring.metric import HOME, find_metric
from tl_search.probe.session import ProbeSession

ROOT = Path(__file__).resolve().parents[2]
# the example that the manual gives
(LENGTH,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/metrics.md").read_text(), re.DOTALL)


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A package of somebody else with a metric in it, which is allowed."""
    (tmp_path / "theirs/metrics").mkdir(parents=True)
    (tmp_path / "theirs/metrics/vector_length.py").write_text(LENGTH)
    monkeypatch.setenv("TL_PLUGINS", "theirs")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "theirs"]:
        del sys.modules[name]


def test_a_metric_of_an_allowed_package_is_measured_like_ours(outside):
    config = MetricsConfig(measures={"vector_length": {"power": 2}, "rankme": {}})
    assert config.measures["vector_length"] == {"power": 2.0}
    revision, extraction = Revision("step1", 1, None, "w", "t"), Extraction(dtype=Dtype.float32)
    given = revision, make(outside / "model"), ["a", "text"], extraction
    with ProbeSession(ProbeConfig("cpu")) as session:
        measured = measure_column(*given, session, config).layers
        lengths = (column_vectors(*given, session).astype("float64") ** 2).sum(-1).mean(-1)
    assert [layer["vector_length"] for layer in measured] == pytest.approx(list(lengths), rel=1e-6)
    assert all(layer.keys() == {"vector_length", "rankme"} for layer in measured)


def test_a_search_takes_it_from_the_command_line(outside):
    words = [str(outside), "metrics=fast", "+metrics.measures.vector_length={}"]
    line = parse("search", words, commands.find("search").bare)
    with configs():
        job = check(commands.find("search"), compose_job("search", line.overrides))
    assert job.plan.metrics.measures["vector_length"] == {"power": 1.0}


def test_its_options_are_checked_like_ours(outside):
    assert plugins.names(HOME) == sorted([*OPTIONS, "vector_length"])
    with pytest.raises(ValueError, match=r"measures\.vector_length\.power: must be >= 0, got -1"):
        MetricsConfig(measures={"vector_length": {"power": -1}})
    with pytest.raises(ValueError, match=r"measures\.vector_length\.powr: unknown key; .*did you mean power\?"):
        MetricsConfig(measures={"vector_length": {"powr": 1}})


def test_a_file_without_a_metric_is_named(outside):
    (outside / "theirs/metrics/empty.py").write_text('"""Nothing."""\n')
    with pytest.raises(ValueError, match=r"measures\.empty: theirs\.metrics\.empty must define one Metric, got 0"):
        find_metric("empty", {})


def test_checking_a_config_imports_no_torch():
    code = (
        "import sys\nfrom tl_search.probe.measuring.config import MetricsConfig\n"
        f"MetricsConfig(measures={OPTIONS})\nprint('torch' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
