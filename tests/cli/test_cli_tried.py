"""`debug=true` and `trainer.fast_dev_run=true` try a command and leave nothing behind."""

import signal
import tempfile
from pathlib import Path

import pytest
from tiny_training import TINY

from tl_search.cli.main import main
from tl_search.plane.schedule import Horizon
from tl_search.search.run import SearchPlan
from tl_search.training import fit as fitting
from tl_search.training.plan import TrainingPlan


@pytest.fixture
def nothing_kept(folder, monkeypatch):
    """A working directory, with the temporary files beside it; neither may hold anything of the command at the end."""
    (folder / "work").mkdir()
    (folder / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "temporary"))
    monkeypatch.chdir(folder / "work")
    yield folder
    assert not list((folder / "temporary").glob("tl-debug-*"))
    assert not list((folder / "work").iterdir())


def test_a_training_makes_a_few_steps_and_one_evaluation_and_leaves_nothing(nothing_kept, capsys, recwarn):
    profiler = (
        "+trainer.profiler={_target_: lightning.pytorch.profilers.SimpleProfiler, dirpath: mine, filename: seconds}"
    )
    words = ("trainer.max_steps=900", "trainer.fast_dev_run=2", "logger=tensorboard", profiler)
    assert main(["train", *TINY, *words]) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(" · ")[0] for line in said if line.startswith("step ")] == ["step 0", "step 2"]
    assert said[-1] == "trainer.fast_dev_run: this was only tried, and nothing of it was kept"
    assert "tl search" not in "\n".join(said)  # for there is no run to search
    assert not [str(told.message) for told in recwarn if "the run ends at" in str(told.message)]


@pytest.fixture
def tried(monkeypatch):
    """The training plans that are carried out, each with its folder, which there is by then; nothing is trained."""
    found: list[tuple[TrainingPlan, Path]] = []

    def carry_out(plan, folder, *_):
        assert folder.is_dir()
        found.append((plan, folder))

    monkeypatch.setattr(fitting, "_fit", carry_out)
    return found


@pytest.fixture
def searched(monkeypatch):
    """The search plans that are carried out, each with its folder; nothing is searched."""
    found: list[tuple[SearchPlan, Path]] = []
    monkeypatch.setattr("tl_search.search.run.run_search", lambda plan, folder: found.append((plan, folder)) or 0)
    monkeypatch.setattr("tl_search.report.write.write_report", lambda folder, **_: None)
    return found


@pytest.mark.slow
def test_no_place_of_the_persons_own_is_written_to(nothing_kept, tried, searched, trained, capsys):
    elsewhere = ("runs=runs", "ledger=mine", "cache=mine/cache", "callbacks=live", "callbacks.plane_probe.ledger=other")
    assert main(["train", *TINY, "debug=true", *elsewhere]) == 0
    ((plan, folder),) = tried
    temporary = nothing_kept / "temporary"
    probe = plan.callbacks["plane_probe"]
    assert all(place.is_relative_to(temporary) for place in (folder.resolve(), probe.ledger, probe.embeddings))
    assert plan.cache is None
    assert plan.logger == {}

    assert main(["search", str(trained), "debug=true", "tasks=stdlib", "bandit=ts"]) == 0
    ((search, folder),) = searched
    assert all(place.is_relative_to(temporary) for place in (folder, search.ledger, search.embeddings))
    assert (len(search.tasks.names), search.budget.pulls, type(search.bandit).__name__) == (2, 3, "TS")
    assert capsys.readouterr().err.splitlines()[-1] == "debug: this was only tried, and nothing of it was kept"


@pytest.mark.slow
def test_debug_makes_all_sizes_small_and_fast_dev_run_the_steps_alone(nothing_kept, tried):
    large = ("model=pythia-1b", "data.batch_size=64", "+trainer.max_epochs=9", "trainer.limit_train_batches=0.01")
    assert main(["train", *large, "debug=true"]) == main(["train", *large, "trainer.fast_dev_run=true"]) == 0
    (small, _), (whole, _) = tried
    assert (small.model.width, small.model.context, small.data.batch_size, small.trainer["max_steps"]) == (32, 64, 2, 4)
    assert (whole.model.width, whole.model.context, whole.data.batch_size, whole.trainer["max_steps"]) == (
        *(2048, 2048, 64, 3),
    )
    assert "fast_dev_run" not in whole.trainer
    assert "limit_train_batches" not in whole.trainer
    assert whole.data.corpus.characters > 2048 * 64 * 3


@pytest.mark.slow
def test_fast_dev_run_tries_the_search_of_the_few_steps_too(nothing_kept, tried, searched, capsys):
    assert main(["run", *TINY, "trainer.fast_dev_run=5", "trainer.max_steps=900", "tasks=stdlib"]) == 0
    ((training, folder),), ((search, _),) = tried, searched
    assert (training.model.width, training.trainer["max_steps"]) == (16, 5)
    assert training.schedule.steps(Horizon(5)) == (0, 5)  # a plane of two checkpoints
    assert Path(search.checkpoints.path).resolve() == folder.resolve()
    assert (len(search.tasks.names), search.budget.pulls) == (2, 3)
    said = capsys.readouterr().err.splitlines()
    assert said == ["trainer.fast_dev_run: this was only tried, and nothing of it was kept"]


@pytest.mark.slow_but_one
@pytest.mark.parametrize(("number", "code", "said"), [("SIGTERM", 143, "terminated"), ("SIGINT", 130, "interrupted")])
def test_nothing_goes_on_from_what_was_only_tried(nothing_kept, monkeypatch, capsys, number, code, said):
    monkeypatch.setattr(fitting, "_fit", lambda *_: signal.raise_signal(signal.Signals[number]))
    assert main(["train", *TINY, "debug=true"]) == code
    assert capsys.readouterr().err.splitlines() == [said, "debug: this was only tried, and nothing of it was kept"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train debug=fast", "debug: must be true or false, got 'fast'"),
        ("train debug=true resume=best", "resume: must be left out with debug=true, which keeps nothing of a run, got"),
        ("train trainer.fast_dev_run=true resume=best", "resume: must be left out with trainer.fast_dev_run, which"),
        ("train -m debug=true,false", "debug: must be given to all jobs of a sweep or to none"),
        (
            "run debug=true hydra/launcher=submitit_local -m",
            "launchers: must be left out with debug, which is",
        ),
    ],
)
@pytest.mark.slow_but_every(3)
def test_what_cannot_be_only_tried_is_one_line(nothing_kept, capsys, words, said):
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}")
    assert error.count("\n") == 1
