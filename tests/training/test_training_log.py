"""What was logged of a run: after any stop the same points, each once."""

import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_run import PLAN, At, PowerCut, cut, plan, same, weights
from transformers import AutoModelForCausalLM

from tl_search.plane.schedules.linear import LinearSchedule
from tl_search.runs.index import read_index
from tl_search.training.fit import fit
from tl_search.training.loggers import TensorBoard
from tl_search.training.optim import AdamW

CLOCKS = {"train/steps_per_second", "train/tokens_per_second", "train/peak_memory_bytes"}
SPARSE = LinearSchedule(first_epoch_checkpoints=None, linear_interval=100)  # the epochs' ends 6, 12 and the last, 14
LOGGED = {"logger": {"tensorboard": TensorBoard()}, "schedule": SPARSE}
EVERY_THREE = {"log_every_n_steps": 3}  # states lie within these windows


def curves(run):
    """Name → (step, value) in the order in which they were logged."""
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    return {name: [(at.step, at.value) for at in events.Scalars(name)] for name in events.Tags()["scalars"]}


@pytest.fixture(scope="module")
def logged(finished, tmp_path_factory):
    """A run that nothing disturbed, with its curves."""
    run = tmp_path_factory.mktemp("logged") / "run"
    fit(plan(finished.parent, **LOGGED, trainer=EVERY_THREE), run)
    return run


def test_speed_memory_and_the_rest_are_logged(logged):
    found = curves(logged)
    names = {"loss", "next_token", "log_normaliser", "perplexity", "lr", "grad_norm", "tokens_seen", "epoch"}
    expected = {f"train/{name}" for name in names} | CLOCKS | {"eval/loss", "eval/perplexity", "eval/best_loss"}
    held = {"stage", "weights/next_token", "weights/log_normaliser", "data/sequence_length", "data/noise"}
    assert found.keys() == expected | {f"curriculum/{name}" for name in held}
    assert [step for step, _ in found["train/loss"]] == [1, 3, 6, 9, 12]
    assert all(value > 0 for name in CLOCKS for _, value in found[name])


class Batches(Callback):
    """Remembers what was trained on."""

    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.seen.append(batch)


def test_points_are_the_batches_own_losses_the_gradients_norm_and_the_planned_rate(tmp_path):
    """Computed again by transformers from the revisions, each of which saw two batches before the next one."""
    batches = Batches()
    asked = plan(
        tmp_path,
        model=replace(PLAN.model, dropout=0.0),
        schedule=LinearSchedule(first_epoch_checkpoints=None, linear_interval=1),
        optimizer=AdamW(lr=1e-2, warmup_steps=4),
        trainer={"max_steps": 3, "accumulate_grad_batches": 2, "gradient_clip_val": 1e-3, **EVERY_THREE},
        logger=LOGGED["logger"],
        callbacks={"batches": batches},
    )
    fit(asked, tmp_path / "run")
    losses, norms = [], []
    for step in range(3):
        model = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "revisions" / f"step{step}")
        pair = [model(input_ids=batch, labels=batch).loss for batch in batches.seen[2 * step : 2 * step + 2]]
        losses += [float(loss) for loss in pair]
        (sum(pair) / 2).backward()
        norms.append(float(torch.nn.utils.get_total_norm([weight.grad for weight in model.parameters()])))
    found = {name: dict(points) for name, points in curves(tmp_path / "run").items()}
    assert found["train/loss"] == pytest.approx({1: sum(losses[:2]) / 2, 3: sum(losses[2:]) / 4}, rel=1e-5)
    assert found["train/grad_norm"] == pytest.approx({1: norms[0], 3: norms[2]}, rel=1e-4)
    assert found["train/lr"] == pytest.approx({1: 2 / 4 * 1e-2, 3: 4 / 4 * 1e-2})


def test_a_term_that_begins_within_a_window_is_averaged_over_its_own_batches(logged, finished):
    """From step 5 on it is weighed: of the window that ends at 6, one batch has it; losses after it have two terms."""
    found = {name: dict(points) for name, points in curves(logged).items()}
    assert found["train/log_normaliser"].keys() == {6, 9, 12}
    first, second = (found["train/log_normaliser"][step] for step in (6, 9))
    assert first == pytest.approx(second, rel=0.2)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_curves_and_loses_at_most_the_save_interval(finished, logged, tmp_path):
    """SIGKILL at step 9, before its state, between the scheduled 6 and 12; step 8 lies within a window of the log."""
    run = tmp_path / "run"
    script = f"""
        import os, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import torch
        torch.set_num_threads(1)
        from test_training_log import EVERY_THREE, LOGGED
        from tiny_run import PLAN, At, plan
        from tl_search.training.fit import fit
        run = Path({str(run)!r})
        def die():
            while not (run / "checkpoints" / "step8").is_dir():
                pass
            os.kill(os.getpid(), signal.SIGKILL)
        callbacks = {{**PLAN.callbacks, "die": At(9, die)}}
        fit(plan(Path({str(finished.parent)!r}), **LOGGED, trainer=EVERY_THREE, callbacks=callbacks), run)
    """
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, cwd=Path(__file__).parents[2])
    assert died.returncode == -9
    seen = []
    watch = {str(step): At(step, lambda step=step: seen.append(step)) for step in range(15)}
    fit(plan(finished.parent, **LOGGED, trainer=EVERY_THREE, callbacks={**PLAN.callbacks, **watch}), run)
    assert seen == list(range(9, 15))
    assert same(weights(run), weights(logged))
    assert read_index(run) == read_index(logged)
    whole, resumed = curves(logged), curves(run)
    assert whole.keys() == resumed.keys()
    for name in whole.keys() - CLOCKS:
        assert resumed[name] == whole[name], name


def test_a_run_that_begins_again_hides_what_it_had_logged(finished, tmp_path):
    few = {"callbacks": {}, "save_interval": 100, "trainer": {"max_steps": 4, "log_every_n_steps": 1}, **LOGGED}
    fit(plan(finished.parent, **few), tmp_path / "whole")
    with pytest.raises(PowerCut):
        fit(plan(finished.parent, **{**few, "callbacks": {"cut": At(3, cut)}}), tmp_path / "run")
    assert not list((tmp_path / "run" / "checkpoints").glob("step*"))
    fit(plan(finished.parent, **few), tmp_path / "run")
    whole, again = curves(tmp_path / "whole"), curves(tmp_path / "run")
    assert all(whole[name] == again[name] for name in whole.keys() - CLOCKS)


def test_a_state_of_the_very_first_step_is_no_new_beginning(finished, tmp_path):
    """It was saved since it is the best so far; its eval loss is not measured or logged again."""
    few = {"save_interval": 100, "trainer": {"max_steps": 4, "log_every_n_steps": 1}, **LOGGED}
    fit(plan(finished.parent, **few), tmp_path / "whole")
    with pytest.raises(PowerCut):
        fit(plan(finished.parent, **{**few, "callbacks": {**PLAN.callbacks, "cut": At(1, cut)}}), tmp_path / "run")
    assert [path.name for path in (tmp_path / "run" / "checkpoints").glob("step*")] == ["step0"]
    fit(plan(finished.parent, **few), tmp_path / "run")
    whole, resumed = curves(tmp_path / "whole"), curves(tmp_path / "run")
    assert all(whole[name] == resumed[name] for name in whole.keys() - CLOCKS)


def test_what_watches_a_measurement_finds_it_after_a_resume(finished, tmp_path):
    """The eval loss is measured at 0, 6 and 12, and wanted at each epoch's end: 6 and 12."""

    def watched(**more):
        stop = EarlyStopping("eval/loss", patience=9, check_on_train_epoch_end=True)
        return replace(plan(finished.parent, schedule=SPARSE, callbacks={"stop": stop, **more}), eval_interval=100)

    with pytest.raises(PowerCut):
        fit(watched(cut=At(9, cut)), tmp_path / "run")
    fit(watched(), tmp_path / "run")
    assert (tmp_path / "run" / "DONE.json").exists()


def test_a_run_that_goes_on_within_the_same_second_is_read_after_what_it_goes_on_from(tmp_path):
    for step, value in ((0, 1.0), (0, 2.0), (1, 3.0)):
        logger = TensorBoard().start(tmp_path, step - 1)
        logger.log_metrics({"value": value}, step=step)
        logger.finalize("success")
    assert [tuple(point) for point in curves(tmp_path)["value"]] == [(0, 2.0), (1, 3.0)]
    files = [*(tmp_path / "tensorboard").glob("events*")]
    assert len({file.name.split(".")[3] for file in files}) == len(files) == 3  # the seconds of their beginning


def test_the_start_of_a_stage_is_marked_once_whatever_the_run_was_stopped_for(logged, finished, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(PowerCut):
        fit(plan(finished.parent, **LOGGED, trainer=EVERY_THREE, callbacks={"cut": At(9, cut)}), run)
    fit(plan(finished.parent, **LOGGED, trainer=EVERY_THREE), run)
    for each in (logged, run):
        events = EventAccumulator(str(each / "tensorboard")).Reload()
        marks = [(at.step, at.tensor_proto.string_val[0].decode()) for at in events.Tensors("curriculum/text_summary")]
        assert [step for step, _ in marks] == [0, 5]
        said = "stage **late** (2 of 2 of the curriculum) begins; weights: next_token 1, log_normaliser 0.1"
        assert said in marks[1][1]
        found = curves(each)
        assert found["curriculum/stage"] == [(0, 0), (3, 0), (5, 1), (6, 1), (9, 1), (12, 1)]
        assert [value for _, value in found["curriculum/data/sequence_length"]] == [16] * 6
