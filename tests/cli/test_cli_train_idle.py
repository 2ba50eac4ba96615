"""What can have no effect in a training run is told before it starts, or refused where a person surely relies on it."""

import pytest
from tiny_training import TINY, only_run

from tl_search.cli.main import main
from tl_search.runs.index import read_index
from tl_search.store.atomic import read_json

STOPPING = "+callbacks.early={_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: %s%s}"


@pytest.fixture
def train(folder, capsys):
    """Run `tl train`; its exit code and the lines on stderr."""

    def run(*words):
        capsys.readouterr()
        code = main(["train", *TINY, *words])
        return code, capsys.readouterr().err.splitlines()

    return run


@pytest.mark.slow
def test_early_stopping_ends_a_run_within_its_first_epoch(train):
    code, said = train(STOPPING % ("eval/loss", ", patience: 1, min_delta: 100"), "trainer.max_steps=30")
    assert code == 0
    assert "training ended early, at step 4 of 30: Monitored metric eval/loss did not improve" in "\n".join(said)
    assert read_json(only_run() / "DONE.json")["step"] == read_index(only_run())[-1].step == 4


@pytest.mark.slow_but_one
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["curriculum=two_stage"],
            "curriculum.stages.normalised: starts at step 500, but the run ends at step 4, so the stage never begins",
        ),
        (["+trainer.val_check_interval=2"], "trainer.val_check_interval has no effect: eval_interval says when"),
        (
            ["optimizer.warmup_steps=9"],
            "optimizer.warmup_steps: is 9, but the run ends at step 4, so the",
        ),
        (["checkpoint.every_n_scheduled=9"], "checkpoint.every_n_scheduled: is 9, more than the scheduled steps"),
        (
            [STOPPING % ("eval/loss", "")],
            "callbacks.early.patience: is 3, but the eval loss is measured 2 times after step 0, so early stopping",
        ),
    ],
)
def test_what_never_has_an_effect_is_told_at_the_start(train, recwarn, words, told):
    assert train(*words)[0] == 0
    said = [str(warning.message) for warning in recwarn if str(warning.message).startswith(told)]
    assert len(said) == 1


@pytest.mark.slow
def test_a_run_in_which_all_settings_act_is_told_nothing(train, recwarn):
    assert train()[0] == 0
    assert not [str(warning.message) for warning in recwarn if issubclass(warning.category, UserWarning)]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            [STOPPING % ("eval/los", "")],
            "callbacks.early.monitor: must be one of eval/best_loss, eval/loss, eval/perplexity, got 'eval/los'; "
            "did you mean eval/loss?",
        ),
        ([STOPPING % ("val_loss", "")], "callbacks.early.monitor: must be one of eval/best_loss, eval/loss, "),
        (
            [STOPPING % ("eval/loss", ""), "data.validation_share=0"],
            "callbacks.early.monitor: must be measured, but data.validation_share=0 (or "
            "trainer.limit_val_batches=0) measures no eval loss, got",
        ),
    ],
)
def test_early_stopping_on_what_is_never_measured_is_refused(train, folder, words, told):
    code, said = train(*words)
    assert (code, len(said)) == (2, 1), said
    assert said[0].startswith(f"error: {told}")
    assert not list(folder.iterdir())
