"""`tl costs` measures a cost table, writes it as an option of `costs`, and a search decides by it."""

import time
from pathlib import Path

import pytest
import yaml

from tl_search.cli.config.compose import compose_job, configs, parse
from tl_search.cli.main import main
from tl_search.plane.costs import AnalyticCosts
from tl_search.scoring.evaluation import evaluate
from tl_search.scoring.uncertainty import resample

TASKS = "tasks.names=[TinySTS,TinyPairs,TinyClustering]"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def searched_with(option):
    """The `costs` of a search that is given this option."""
    with configs():
        config = compose_job("search", parse("search", ["checkpoints.path=.", f"costs={option}"]).overrides)
    return config.costs


def test_what_is_measured_here_becomes_an_option_that_a_search_takes(trained, tiny, place, monkeypatch, capsys):
    def slow(spec, *rest, **more):
        time.sleep(0.05 if spec.type == "STS" else 0)
        return evaluate(spec, *rest, **more)

    monkeypatch.setattr(resample, "evaluate", slow)
    started = time.perf_counter()
    assert main(["costs", str(trained), TASKS, "output=costs/here.yaml", "runs=kept"]) == 0
    spent = time.perf_counter() - started
    said = capsys.readouterr()
    assert said.out == "written to costs/here.yaml; to use it: tl search RUN costs=here\n"
    assert "TinySTS: embedding" in said.err
    costs = searched_with("here")
    assert costs == yaml.safe_load(Path("costs/here.yaml").read_text())
    found = AnalyticCosts(**{name: value for name, value in costs.items() if name != "_target_"})
    assert found.characters_per_token == 1  # the run's tokenizer is bytes
    texts = len(set(tiny["TinySTS"]().rows("selection")["sentence1"]))
    assert 0.05 / (2 * texts) <= found.score["STS"] <= spent / texts  # what it was slowed by, and what all took
    assert found.score["PairClassification"] < found.score["STS"]
    assert found.score["Retrieval"] == AnalyticCosts(**_analytic()).score["Retrieval"]  # not measured
    assert 0 < found.open <= _analytic()["open"]
    assert found.flops > 0


def _analytic():
    return {name: value for name, value in searched_with("analytic").items() if name != "_target_"}


def test_without_a_file_the_table_is_printed_and_can_be_read(trained, tiny, place, capsys):
    assert main(["costs", str(trained), "tasks.names=[TinySTS,TinyClassification]", "runs=kept"]) == 0
    printed = capsys.readouterr().out
    assert "# STS: TinySTS\n" in printed
    assert "# Classification: TinyClassification\n" in printed
    assert yaml.safe_load(printed)["_target_"] == "tl_search.plane.costs.AnalyticCosts"
    assert not (place / "costs").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["output=here.yaml"], "output: must be a .yaml file in a folder named costs, such as costs/laptop.yaml"),
        (["output=costs/here.json"], "output: must be a .yaml file in a folder named costs"),
        (["output=costs/analytic.yaml"], "output: must have another name than costs=analytic"),
        (["per_type=0"], "per_type: must be >= 1, got 0"),
        (["tasks.names=[TinySST]"], "tasks.names: "),
        (["costs=here"], "costs: no option 'here' (options: analytic)"),
    ],
)
def test_mistakes_are_told_in_one_line_and_nothing_is_written(trained, tiny, place, words, line, capsys):
    assert main(["costs", str(trained), *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {line}")
    assert said.count("\n") == 1
    assert not [*place.iterdir()]


def test_a_folder_of_ones_own_tables_adds_options_and_hides_none(place):
    Path("costs").mkdir()
    Path("costs/mine.yaml").write_text("_target_: tl_search.plane.costs.AnalyticCosts\nflops: 7.0\n")
    assert searched_with("mine").flops == 7
    assert "score" in searched_with("analytic")
