"""Label-free metrics of the chosen layer without and with its readout: on which texts, which values, when again."""

import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from probe.tiny_models import make
from scoring.tiny_tasks import TinyPairs, metadata

from tl_search.bandits.exhaustive import Exhaustive
from tl_search.plane.arm_name import ArmName
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.readout import RAW, Form, Readout, Readouts
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import column_vectors
from tl_search.probe.measuring import column
from tl_search.probe.measuring.config import Columns, MetricsConfig
from tl_search.probe.measuring.views import noisy_views
from tl_search.probe.readout import fit
from tl_search.probe.session import ProbeSession
from tl_search.report.label_free import read_measured
from tl_search.report.write import write_report
from tl_search.runs.measured import MeasuredReadout
from tl_search.runs.open import open_run
from tl_search.scoring.suites import Suite
from tl_search.search.readouts import fitted_readouts, unused_texts
from tl_search.search.run import run_search
from tl_search.search.texts import SuiteTexts
from tl_search.store.atomic import read_json

STANDARDISED = Readout(Form.standardised)
SETTINGS = Readouts({"raw": RAW, "s": STANDARDISED}, texts_per_task=40)
METRICS = MetricsConfig(
    Columns.opened,
    corpus_max_examples_per_task=16,
    measures={"rankme": {}, "curvature": {}, "anisotropy": {}, "infonce": {}},
)
FILE = "run/cache/metrics/readout.json"


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """A folder with models, and a finished search over them whose answer is a standardised layer: to be copied."""
    folder = tmp_path_factory.mktemp("under")
    for number, name in enumerate(("step0", "step64")):
        make(folder / "models" / name, seed=12 + number, num_hidden_layers=1)
    assert search(folder) == 0
    return folder


@pytest.fixture
def again(folder, tmp_path):
    """A copy of it whose search is not finished yet."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "run/DONE.json").unlink()
    return tmp_path


@pytest.fixture
def measured(monkeypatch):
    """Counts measured readouts by revision."""
    counts, real = Counter(), column.measure_readout

    def counted(revision, *rest):
        counts[revision.name] += 1
        return real(revision, *rest)

    monkeypatch.setattr(column, "measure_readout", counted)
    return counts


def search(folder, name="run", **parts):
    from search.conftest import usual_plan

    usual = {"readout": SETTINGS, "metrics": METRICS, "tasks": Suite(("TinyPairs",)), "bandit": Exhaustive()}
    return run_search(usual_plan(folder / "models", folder, **{**usual, **parts}), folder / name)


def test_both_columns_are_the_metrics_of_the_same_vectors_before_and_after_the_map(folder):
    found = MeasuredReadout.read(folder / "run")
    assert found.arm == open_run(folder / "run").result.best.arm == ArmName("step64", 0, "standardised")
    fitted_on = read_json(folder / "run/readout_texts.json")["texts"]
    views = [view for both in noisy_views(found.texts, 2, METRICS.noise, METRICS.seed) for view in both]

    extraction = Extraction(max_length=64, dtype=Dtype.float32)
    with ProbeSession(ProbeConfig(accelerator="cpu")) as session:
        revision, place = Revision("step64", 64), folder / "models/step64"
        of_fit, texts, of_views = (
            column_vectors(revision, place, some, extraction, session)[0] for some in (fitted_on, found.texts, views)
        )
    apply = fit(STANDARDISED, [of_fit])
    for kept, change in ((found.raw, lambda vectors: vectors), (found.under, lambda vectors: apply([vectors]))):
        plain, several = torch.from_numpy(change(texts)), torch.from_numpy(change(of_views)).unflatten(0, (-1, 2))
        by_hand = {
            name: float(metric.measure(several if name == "infonce" else plain))
            for name, metric in METRICS.metrics.items()
            if name != "curvature"  # of token states, on which no readout is
        }
        assert kept == pytest.approx(by_hand, rel=1e-4)
    assert np.abs(found.raw["anisotropy"] - found.under["anisotropy"]) > 0.1


def test_a_readout_of_several_layers_is_measured_beside_the_last_of_them(folder):
    joined, extraction = Readout(Form.joined, rank=4), Extraction(max_length=64, dtype=Dtype.float32)
    texts = MeasuredReadout.read(folder / "run").texts
    about = Revision("step64", 64), folder / "models/step64"
    with ProbeSession(ProbeConfig(accelerator="cpu")) as session:
        vectors = column_vectors(*about, texts, extraction, session)
        apply = fit(joined, list(vectors))
        found = column.measure_readout(*about, texts, extraction, session, METRICS, joined.layers(1), apply)
    rankme = METRICS.metrics["rankme"]
    for kept, by_hand in ((found.raw, vectors[1]), (found.readout, apply(list(vectors)))):
        assert kept["rankme"] == pytest.approx(float(rankme.measure(torch.from_numpy(by_hand))), rel=1e-4)
    assert 3.9 < found.readout["rankme"] < 4.1  # flat, as any whitening of the texts that it was fitted on
    assert found.raw["rankme"] < 3


def test_no_text_is_of_the_fit_or_scored(folder):
    found, practice = MeasuredReadout.read(folder / "run"), TinyPairs().rows("train")
    assert len(found.texts) == len(set(found.texts)) == found.tasks["TinyPairs"] == 16
    assert set(found.texts) <= {*practice["sentence1"], *practice["sentence2"]}
    assert not set(found.texts) & set(read_json(folder / "run/readout_texts.json")["texts"])
    for split in ("selection", "confirmation"):
        scored = TinyPairs().rows(split)
        assert not set(found.texts) & {*scored["sentence1"], *scored["sentence2"]}


def test_planted_texts_are_none_of_those_that_are_left(tiny, tmp_path, monkeypatch):
    judged = [TinyPairs().rows(split)["sentence1"][7] for split in ("selection", "confirmation")]

    class Planted(TinyPairs):
        metadata = metadata("Planted", "PairClassification", "max_ap")

        def rows(self, split):
            rows = super().rows(split)
            return {**rows, "sentence2": [*judged, *rows["sentence2"][2:]]} if split == "train" else rows

    monkeypatch.setitem(tiny, "Planted", Planted)
    tasks = Suite(("Planted",))
    suites = [SuiteTexts(specs, tasks.texts(specs, tmp_path)) for specs in (tasks.selection(), tasks.confirmation())]
    training = {**tasks.training_texts(), "Other": ("one", " of the fit ", "two")}
    assert set(judged) <= set(training["Planted"])
    fitted = fitted_readouts(SETTINGS, lambda: {"Planted": training["Planted"]}, suites, 2, tmp_path)
    fitted = replace(fitted, texts=(*fitted.texts, "of the fit"))
    left = unused_texts(fitted, training, suites)
    assert left["Other"] == ("one", "two")
    assert set(left["Planted"]) == set(training["Planted"]) - set(fitted.texts) - set(judged)
    assert len(left["Planted"]) > 100


def test_report_page_and_notebook_show_them(folder, capsys, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    run = tmp_path / "run"
    write_report(run)
    told, found = " ".join(capsys.readouterr().out.split()), MeasuredReadout.read(run)
    sentence = (
        "The same metrics of step64/layer 0/standardised and of its layer without the readout (raw), on 16 training "
        "texts that no fit used"
    )
    page = (run / "report/index.html").read_text()
    assert sentence in told
    assert sentence in page
    table = open_run(run).readout_metrics()
    assert list(table["metric"]) == ["rankme", "anisotropy", "infonce"]
    for name, raw, readout in table.itertuples(index=False):
        assert (raw, readout) == (found.raw[name], found.under[name])
        assert f"{raw:.4g}" in told.partition(sentence)[2]
        assert f">{readout:.4g}</td>" in page.partition(sentence)[2]


def test_a_finished_or_whole_measurement_is_not_made_again(folder, again, measured):
    assert search(again) == 0
    assert search(again) == 0
    assert not measured
    assert (again / FILE).read_bytes() == (folder / FILE).read_bytes()


@pytest.mark.parametrize("left", [b"", b'{"model": "mo', None], ids=["empty", "torn", "gone"])
@pytest.mark.slow_but_one
def test_what_a_kill_left_is_measured_again_with_the_same_bytes(folder, again, measured, left):
    (again / FILE).unlink()
    if left is not None:
        (again / FILE).write_bytes(left)
    assert search(again) == 0
    assert measured == {"step64": 1}
    assert (again / FILE).read_bytes() == (folder / FILE).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"seed": 1}, {"corpus_max_examples_per_task": 15}, {"measures": {"rankme": {}}}])
def test_other_settings_measure_again(again, measured, change):
    assert search(again, metrics=replace(METRICS, **change)) == 0
    assert measured == {"step64": 1}


def test_a_layer_that_cannot_be_measured_is_told_and_the_answer_stays(again, monkeypatch):
    def fail(*_):
        raise torch.linalg.LinAlgError("linalg.eigh: failed\nto converge")

    answer = read_json(again / "run/result.json")
    (again / FILE).unlink()
    monkeypatch.setattr(column, "measure_readout", fail)
    assert search(again) == 3
    now = read_json(again / "run/result.json")
    assert now["unmeasured"] == {"step64/layer 0/standardised": "linalg.eigh: failed to converge"}
    assert now["best"] == answer["best"]


def test_where_no_text_is_left_a_sentence_names_the_setting(again, measured):
    assert search(again, "greedy", readout=replace(SETTINGS, texts_per_task=10**6)) == 0
    told = read_measured(again / "greedy").about_readout
    assert told.startswith("Label-free metrics of step64/layer 0/standardised, without and with its readout, were not")
    assert "0 training texts are neither scored nor used by a fit, and 8 are needed" in told
    assert told.endswith("a smaller readout.texts_per_task leaves more.")
    assert not measured
    assert open_run(again / "greedy").readout_metrics().empty


def test_a_raw_winner_has_no_second_column(again, measured, capsys):
    whitened = Readouts({"raw": RAW, "w": Readout(Form.whitened, rank=8)}, texts_per_task=40)
    assert search(again, "raw", readout=whitened) == 0
    assert open_run(again / "raw").result.best.arm.is_raw
    assert not measured
    assert not (again / "raw/cache/metrics/readout.json").exists()
    write_report(again / "raw")
    assert "Label-free metrics of" in (told := capsys.readouterr().out)
    assert "no fit used" not in told
