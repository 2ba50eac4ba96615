"""A run's directory follows from what changes its results, and from nothing else."""

from pathlib import Path

import pytest

from tl_search.cli import commands
from tl_search.cli.config.compose import compose_job, configs, parse
from tl_search.cli.config.naming import deciding_keys, identity, known_keys
from tl_search.cli.config.preflight import preflight
from tl_search.cli.config.renamed import first_named


def folders(*words):
    command, *rest = words
    line = parse(command, rest, commands.find(command).bare)
    return [job.folder for job in preflight(line, commands.find(command))]


def folder(*words):
    (only,) = folders(*words)
    return only


@pytest.mark.slow
def test_the_same_command_finds_its_own_directory():
    assert folder("train") == folder("train", "schedule=log")
    assert folder("train").parent == Path("runs/train")
    assert folder("train").name.startswith("tiny-log-s0-")


@pytest.mark.slow_but_one
@pytest.mark.parametrize(
    "change", ["seed=1", "schedule=linear", "model.width=192", "trainer.max_steps=900", "callbacks.finite_loss=null"]
)
def test_what_changes_results_changes_the_directory(change):
    assert folder("train", change).name.rpartition("-")[2] != folder("train").name.rpartition("-")[2]


@pytest.mark.slow_but_one
@pytest.mark.parametrize(
    "change", ["trainer.accelerator=cpu", "logger=none", "runs=elsewhere", "cache=null", "data.workers=2"]
)
def test_where_and_how_it_runs_does_not(change):
    assert folder("train", change).name == folder("train").name


@pytest.mark.slow
def test_a_limit_makes_another_run_only_where_it_limits():
    def digest(*words):
        return folder("train", *words).name[-8:]

    assert digest("trainer.limit_train_batches=1.0") == digest()
    assert digest("trainer.limit_train_batches=1") != digest()  # one batch, not all of them
    assert digest("trainer.limit_val_batches=0.5") != digest()


@pytest.mark.slow
@pytest.mark.parametrize(("live", "published"), [("live", "plane/best"), ("live_metrics", "metrics/rankme")])
def test_who_only_looks_on_makes_no_other_run_unless_the_best_hangs_on_it(live, published):
    watched = (f"callbacks={live}", f"callbacks.best.monitor={published}")
    probe = "plane_probe" if live == "live" else "representation_metrics"
    assert folder("train", f"callbacks={live}").name == folder("train").name
    assert folder("train", *watched).name != folder("train", watched[1]).name
    assert folder("train", *watched).name != folder("train", *watched, f"callbacks.{probe}.every=7").name
    assert folder("train", *watched).name == folder("train", *watched, "runs=elsewhere").name


def test_a_search_is_told_from_others_but_not_by_its_device(tmp_path):
    search = ("search", str(tmp_path))
    assert folder(*search, "probe.accelerator=cpu").name == folder(*search).name
    assert folder(*search, "budget.pulls=3").name != folder(*search).name
    assert folder(*search, "bandit=ts").name.startswith("ts-sparse-s0-")


@pytest.mark.slow
def test_metrics_that_are_not_measured_do_not_tell_searches_apart(tmp_path):
    search = ("search", str(tmp_path))
    assert folder(*search, "metrics.seed=3").name == folder(*search).name
    assert folder(*search, "metrics=fast").name != folder(*search).name
    digests = [folder(*search, word).name.rpartition("-")[2] for word in ("metrics.columns=all", "metrics=fast")]
    assert digests[0] == digests[1]
    with configs():
        found = identity(compose_job("search", ["checkpoints.path=x"]), "search")
        assert set(found) == {*deciding_keys("search")} - {"metrics", "readout"}  # none is measured, all are raw


@pytest.mark.slow
def test_run_shares_the_training_run_of_tl_train_among_the_jobs_of_a_sweep():
    words = ["-m", "schedule=log,linear", "sampling=sparse,log", "bandit=ucb,ts"]
    jobs = preflight(parse("run", words), commands.find("run"))
    assert len({job.folder for job in jobs}) == 8
    trained = {Path(searching.checkpoints.path) for _, searching in (job.plan for job in jobs)}
    assert trained == set(folders("train", "-m", "schedule=log,linear"))


def test_extraction_auto_is_settled_before_it_names_a_run(monkeypatch):
    monkeypatch.setattr("tl_search.cli.config.naming.GPU_DRIVERS", ())
    with configs():
        config = compose_job("search", ["checkpoints.path=x"])
        assert identity(config, "search")["extraction"]["dtype"] == "float32"


@pytest.mark.parametrize("command", ["train", "search", "run"])
def test_every_setting_is_known_to_be_identity_or_not(command):
    with configs():
        keys = set(compose_job(command, []))
    assert keys <= known_keys(command)
    of_train = {"branch", "branch_from"} if command == "run" else set()  # tl run always trains from the start
    assert set(deciding_keys(command)) - of_train <= keys


@pytest.mark.parametrize("other", ["train", "search"])
def test_run_has_the_same_defaults_as_the_commands_that_it_joins(other):
    with configs():
        ours, theirs = compose_job("run", []), compose_job(other, [])
        for key in set(theirs) - {
            "hydra",
            "name",
            "checkpoints",
            "resume",
            "lr_policy",
            "branch",
            "branch_from",
        }:  # tl run always begins or goes on by itself
            assert ours[key] == theirs[key], key


def test_a_setting_that_came_later_names_no_other_directory_until_it_is_set(tmp_path):
    source = {"_target_": "tl_search.checkpoints.folder.FolderCheckpoints", "path": "models"}
    assert first_named({"checkpoints": {**source, "suspects": False}}) == {"checkpoints": source}
    search = ("search", "checkpoints=folder", f"checkpoints.path={tmp_path}")
    assert folder(*search, "checkpoints.suspects=true").name != folder(*search).name


def test_what_is_kept_of_embeddings_makes_no_other_search():
    words = ["checkpoints.path=x", "store.keep=false", "store.max_gb=7"]
    with configs():
        assert "store" not in identity(compose_job("search", parse("search", words).overrides), "search")


def test_a_suite_is_known_by_the_settings_that_it_had_at_first():
    words = ["checkpoints.path=x", "tasks.names=[StdlibVerbClassification]"]
    with configs():
        found = identity(compose_job("search", parse("search", words).overrides), "search")
    assert first_named(found["tasks"]) == {
        "_target_": "tl_search.scoring.suites.Suite",
        "names": ["StdlibVerbClassification"],
        "selection_split": "selection",
        "confirmation_split": "confirmation",
        "allow_same_split": False,
        "subsets": {},
    }


@pytest.mark.parametrize(
    ("words", "kind", "settings"),
    [
        (["sampling=sparse", "sampling.count=8"], "Sparse", {"count": 8}),
        (["sampling=log", "sampling.count=28"], "Log", {"count": 28}),
        (["sampling=uniform", "sampling.count=29"], "Uniform", {"count": 29}),
        (["sampling=dense", "sampling.interval=0", "sampling.first=true"], "Dense", {"interval": 0}),
    ],
)
def test_searches_by_the_samplings_of_before_are_found_with_their_numbers(words, kind, settings):
    with configs():
        line = parse("search", ["checkpoints.path=x", *words])
        found = identity(compose_job("search", line.overrides), "search")
    assert first_named(found["sampling"]) == {"_target_": f"tl_search.plane.sampling.{kind}", **settings}
