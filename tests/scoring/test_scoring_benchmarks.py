"""Suites that are lists of mteb: they hold what mteb's own registry says, read without a network."""

import mteb
import pytest
from omegaconf import OmegaConf
from scoring.test_scoring_suites import FILES

from tl_search.scoring.catalogue import benchmark_names, check_names, get_task, mteb_names, named_tasks
from tl_search.scoring.evaluation import describe
from tl_search.scoring.suites import Suite


def suite(name):
    node = OmegaConf.load(next(file for file in FILES if file.stem == name))
    del node["_target_"]
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Suite), node))


def english(version):
    return {task.metadata.name: task for task in mteb.get_benchmark(f"MTEB(eng, {version})").tasks}


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("sts", "STS", 9),
        ("classification", "Classification", 8),
        ("clustering", "Clustering", 8),
        ("reranking", "Reranking", 2),
        ("pair_classification", "PairClassification", 3),
        ("retrieval", "Retrieval", 10),
    ],
)
@pytest.mark.slow_but_every(3)
def test_a_suite_of_a_type_is_that_of_mtebs_english_benchmark(name, kind, count):
    tasks = suite(name).tasks
    assert len(tasks) == count
    assert set(tasks) == {task for task, found in english("v2").items() if found.metadata.type == kind}


def test_a_benchmark_comes_with_its_subsets():
    tasks = suite("mteb_eng_v2").tasks
    assert list(tasks) == list(english("v2"))
    assert len(tasks) == 41
    assert {name: subset for name, subset in tasks.items() if subset} == {
        **dict.fromkeys(("MTOPDomainClassification", "MassiveIntentClassification"), "en"),
        **dict.fromkeys(("MassiveScenarioClassification", "AmazonCounterfactualClassification"), "en"),
        **{"STS17": "en-en", "STS22.v2": "en"},
    }
    code = suite("code").tasks
    assert list(code) == [task.metadata.name for task in mteb.get_benchmark("MTEB(Code, v1)").tasks]
    assert code["COIRCodeSearchNetRetrieval"] == "python,javascript,go,ruby,java,php"


def test_the_papers_32_tasks_are_mtebs_first_english_ones_without_long_texts_and_retrieval():
    tasks = suite("layer_by_layer_32").tasks
    long = {"AmazonPolarityClassification", "ImdbClassification", "STS22", "SummEval"}
    first = {name: task for name, task in english("v1").items() if task.metadata.type != "Retrieval"}
    assert len(tasks) == 32
    assert set(tasks) == {name for name in first if not name.endswith("P2P")} - long
    assert tasks["AmazonCounterfactualClassification"] == "en,en-ext"
    others = {name: subset for name, subset in tasks.items() if name != "AmazonCounterfactualClassification"}
    for name, subset in others.items():
        assert list(first[name].hf_subsets) == [subset or "default"]
    for name, subset in tasks.items():
        assert describe(name, "official", subset).split == "test"


def test_names_are_tasks_and_benchmarks_and_their_other_names():
    found = named_tasks(["STSBenchmark", "MTEB(eng)"], ["STS"])
    assert next(iter(found)) == "STSBenchmark"
    assert set(found) == set(suite("sts").tasks)
    every = mteb.get_benchmarks()
    known = benchmark_names()
    assert {one.name for one in every} | {alias for one in every for alias in one.aliases} <= known
    check_names(["MTEB(eng)", "CoIR", "STS12"])
    assert not {"STSBenchmark", "test"} & known


def test_a_benchmark_that_is_not_there_is_answered_with_the_nearest_names():
    with pytest.raises(ValueError, match=r"names: no task 'MTEB\(eng, v3\)'; did you mean MTEB\(eng\), "):
        check_names(["MTEB(eng, v3)"])


def test_types_that_no_task_has_are_refused():
    with pytest.raises(ValueError, match=r"types: must be among those of the tasks, STS, got Retrieval"):
        named_tasks(["STS12", "STS13"], ["Retrieval"])
    with pytest.raises(ValueError, match=r"tasks.types: must be among .*got Sts"):
        _ = Suite(names=["STS12"], types=["Sts"]).tasks


def test_settings_of_tasks_that_a_benchmark_lacks_are_refused():
    with pytest.raises(ValueError, match=r"tasks.subsets: must name only tasks .*got STS99"):
        _ = Suite(names=["MTEB(eng, v2)"], subsets={"STS99": "en"}).tasks
    assert Suite(names=["MTEB(eng, v2)"], subsets={"STS17": "de"}).tasks["STS17"] == "de"


def test_a_superseded_task_says_what_has_its_place():
    assert describe("STSBenchmark", "test").superseded_by == "STSBenchmark.v2"
    assert describe("STS12", "test").superseded_by is None
    assert describe("STSBenchmark", "test").identity() == {
        **{"task": "STSBenchmark", "split": "test", "subset": "default", "seed": 42, "mteb": mteb.__version__},
        "task_revision": get_task("STSBenchmark").metadata.dataset["revision"],
    }


@pytest.mark.slow
def test_no_subset_of_mteb_has_a_comma_in_its_name_and_no_task_that_of_a_benchmark():
    tasks = mteb.get_tasks(exclude_superseded=False)
    assert not [subset for task in tasks for subset in task.hf_subsets or () if "," in subset]
    shared = {one.name for one in mteb.get_benchmarks()} & set(mteb_names())
    assert not shared
