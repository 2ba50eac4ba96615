"""What a training run leaves behind, and when it refuses to start."""

import json
from dataclasses import replace

import pytest
import torch
from tiny_run import EPOCH, At, plan, weights
from transformers import AutoModelForCausalLM, AutoTokenizer

from tl_search.errors.kinds import DivergedError, LockedError
from tl_search.plane.horizon import Horizon
from tl_search.plane.schedules.linear import LinearSchedule
from tl_search.runs.index import read_index
from tl_search.store.lock import RunLock
from tl_search.store.manifest import verify
from tl_search.text.files import TextFiles
from tl_search.training.callbacks.finite_loss import FiniteLoss
from tl_search.training.callbacks.progress import Progress
from tl_search.training.data import Text
from tl_search.training.fit import fit
from tl_search.training.loggers import TensorBoard
from tl_search.training.optim import AdamW


def test_every_scheduled_step_becomes_a_revision_that_transformers_loads(finished):
    # 2 epochs of 6 steps and 2 steps of a third; every epoch's end is a revision too
    assert [line.step for line in read_index(finished)] == [0, 2, 6, 7, 9, 12, 13, 14]
    for line in read_index(finished):
        folder = finished / "revisions" / line.name
        facts = verify(folder)
        assert (facts["step"], facts["tokens"], facts["epoch"]) == (line.step, line.step * 64, line.step // 6)
        assert facts["stage"] == ("warm" if line.step < 5 else "late")
        model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        assert model(**tokenizer("é", return_tensors="pt")).logits.shape == (1, 2, 257)


def test_main_is_the_last_step(finished):
    assert (finished / "revisions/main/model.safetensors").read_bytes() == (
        finished / "revisions/step14/model.safetensors"
    ).read_bytes()
    assert verify(finished / "revisions" / "main")["step"] == 14


def test_the_eval_loss_in_the_index_is_that_of_the_revision_itself(finished, tmp_path):
    from tl_search.training.data import held_out_batches

    same_plan = plan(tmp_path)
    packed = same_plan.data.pack(same_plan.tokenizer, tmp_path)
    batches = held_out_batches(packed.validation, 16, 4, 2)
    assert sum(len(batch) for batch in batches) >= 4
    for line in read_index(finished):
        model = AutoModelForCausalLM.from_pretrained(finished / "revisions" / line.name).eval()
        with torch.no_grad():
            losses = [model(input_ids=batch, labels=batch).loss * len(batch) for batch in batches]
        assert line.eval_loss == pytest.approx(float(sum(losses)) / sum(map(len, batches)), rel=1e-5)


def test_training_learns(finished):
    losses = [line.eval_loss for line in read_index(finished)]
    assert losses[-1] < losses[0] - 1


def test_done_says_the_last_step_and_its_eval_loss(finished):
    done = json.loads((finished / "DONE.json").read_text())
    assert (done["step"], done["eval_loss"]) == (14, read_index(finished)[-1].eval_loss)


def test_a_finished_run_is_left_as_it_is(tmp_path):
    short = plan(tmp_path, trainer={"max_steps": 2})
    fit(short, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}
    fit(short, tmp_path / "run")
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}


@pytest.mark.parametrize("accumulate", [1, 3])
def test_accumulated_gradients_leave_each_scheduled_step_once(tmp_path, accumulate):
    schedule = LinearSchedule(first_epoch_checkpoints=None, linear_interval=1)
    small = replace(plan(tmp_path).data, batch_size=1)
    trainer = {"max_steps": 4, "accumulate_grad_batches": accumulate}
    fit(plan(tmp_path, schedule=schedule, data=small, trainer=trainer), tmp_path / "run")
    lines = read_index(tmp_path / "run")
    assert [line.step for line in lines] == list(schedule.steps(Horizon(4)))
    assert lines[-1].tokens == 4 * accumulate * 16


def test_epochs_may_say_how_long_the_run_is(tmp_path):
    fit(plan(tmp_path, trainer={"max_steps": -1, "max_epochs": 1}), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "DONE.json").read_text())["step"] == EPOCH


def test_the_same_seed_gives_the_same_weights_and_another_one_others(finished, tmp_path):
    from tiny_run import same

    fit(plan(tmp_path, trainer={"max_steps": 2}, seed=1), tmp_path / "other")
    assert not same(weights(finished, "step0"), weights(tmp_path / "other", "step0"))
    fit(plan(tmp_path, schedule=LinearSchedule(None, 7)), tmp_path / "again")
    assert same(weights(finished), weights(tmp_path / "again"))


def test_another_plan_in_the_same_folder_is_refused_with_the_difference(finished, tmp_path):
    other = plan(finished.parent, optimizer=AdamW(lr=5e-3, warmup_steps=2))
    with pytest.raises(ValueError, match=r"optimizer\.lr was 0\.01, now 0\.005"):
        fit(other, finished)


def test_changed_text_under_the_same_plan_is_refused(tmp_path):
    run = tmp_path / "run"
    stopped = plan(tmp_path, callbacks={"stop": At(5, lambda: 1 / 0)})
    with pytest.raises(ZeroDivisionError):
        fit(stopped, run)
    changed = plan(tmp_path)
    (tmp_path / "corpus" / "3.txt").write_text("another text " * 20)
    with pytest.raises(ValueError, match="corpus was"):
        fit(changed, run)


def test_a_folder_in_use_is_refused(tmp_path):
    owner = {"host": "elsewhere", "pid": 1, "started": "0", "attempt": "x"}
    lock = RunLock(tmp_path / "run")
    lock.folder.mkdir(parents=True)
    lock.claim.write_text(json.dumps(owner))
    with pytest.raises(LockedError, match="elsewhere"):
        fit(plan(tmp_path), tmp_path / "run")


def test_a_command_that_owns_the_folder_may_train_in_it(tmp_path):
    with RunLock(tmp_path / "run") as lock:
        fit(plan(tmp_path, trainer={"max_steps": 1}), tmp_path / "run")
        assert lock.is_mine()
    assert (tmp_path / "run" / "DONE.json").exists()


@pytest.mark.parametrize("revisions", [1, 14])
def test_a_diverging_run_ends_with_a_clear_error_and_writes_no_broken_weights(tmp_path, revisions):
    wild = plan(
        tmp_path,
        optimizer=AdamW(lr=1e30, warmup_steps=0),
        schedule=LinearSchedule(None, revisions),
        callbacks={"finite": FiniteLoss(patience=3)},
        save_interval=14,
    )
    with pytest.raises(DivergedError, match=r"training diverged: the (weights|loss)"):
        fit(wild, tmp_path / "run")
    for folder in (tmp_path / "run" / "revisions").iterdir():
        assert all(weight.isfinite().all() for weight in weights(tmp_path / "run", folder.name).values())
    assert not (tmp_path / "run" / "DONE.json").exists()


def test_curves_reach_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fit(plan(tmp_path, logger={"tensorboard": TensorBoard()}, trainer={"max_steps": 6}), tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    expected = {"loss", "next_token", "perplexity", "lr", "grad_norm", "tokens_seen", "tokens_per_second"}
    assert {f"train/{name}" for name in expected} <= set(events.Tags()["scalars"])
    assert [(point.step, point.value) for point in events.Scalars("train/tokens_seen")] == [
        (step, step * 64.0) for step in (1, 2, 4, 6)
    ]
    by_step = {point.step: point.value for point in events.Scalars("eval/loss")}
    lines = read_index(tmp_path / "run")
    assert {line.step for line in lines} | {0, 3} == set(by_step)
    assert all(by_step[line.step] == pytest.approx(line.eval_loss, rel=1e-5) for line in lines)


def steps(said):
    """`done/all` of every progress line."""
    return [line.split()[1] for line in said.splitlines() if line.startswith("step") and "/" in line.split()[1]]


def test_progress_is_plain_lines_with_the_last_step_among_them(tmp_path, capsys):
    fit(plan(tmp_path, callbacks={"progress": Progress(seconds=1e-9)}, trainer={"max_steps": 3}), tmp_path / "run")
    out, err = capsys.readouterr()
    assert out == ""
    assert "\r" not in err
    assert steps(err) == ["1/3", "2/3", "3/3"]
    fit(plan(tmp_path, callbacks={"progress": Progress(seconds=1e9)}, trainer={"max_steps": 3}), tmp_path / "quiet")
    assert steps(capsys.readouterr().err) == ["3/3"]


def test_without_held_out_text_there_is_no_eval_loss(tmp_path):
    text = plan(tmp_path).data
    fit(plan(tmp_path, data=Text(text.corpus, 4, validation_share=0), trainer={"max_steps": 1}), tmp_path / "run")
    assert [line.eval_loss for line in read_index(tmp_path / "run")] == [None, None]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"save_interval": 0}, "^save_interval: must be >= 1"),
        ({"trainer": {"max_steps": 0}}, r"^trainer\.max_steps: must be >= 1"),
    ],
)
def test_bad_plans_are_refused_by_name(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        plan(tmp_path, **changes)


def test_a_trainer_argument_that_the_run_sets_itself_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^trainer\.enable_progress_bar: must be left out"):
        fit(plan(tmp_path, trainer={"enable_progress_bar": True}), tmp_path / "run")


def test_limits_of_batches_shorten_epochs_and_evaluations_and_make_another_run(tmp_path):
    limits = {"limit_train_batches": 0.5, "limit_val_batches": 1}
    whole, short = plan(tmp_path), plan(tmp_path, trainer=limits)
    packed = whole.data.pack(whole.tokenizer, tmp_path / "cache", None, whole.model.context)
    assert [made.loader(packed).steps for made in (whole, short)] == [EPOCH, EPOCH // 2]
    assert [len(made.held_out(packed)) for made in (whole, short)] == [2, 1]
    assert plan(tmp_path, trainer={"limit_val_batches": 0}).held_out(packed) == []
    assert short.identity()["trainer"] == {**whole.identity()["trainer"], **limits}
    with pytest.raises(ValueError, match=r"^trainer\.limit_val_batches: must leave a batch, got 0\.1 of 2; 0"):
        plan(tmp_path, trainer={"limit_val_batches": 0.1}).held_out(packed)


def test_a_corpus_smaller_than_a_step_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must fill a step of 400"):
        fit(plan(tmp_path, data=Text(plan(tmp_path).data.corpus, batch_size=400)), tmp_path / "run")


def test_a_corpus_without_documents_is_refused(tmp_path):
    class Nothing(TextFiles):
        def documents(self):
            return iter(())

    with pytest.raises(ValueError, match=r"^data\.corpus: must hold text, got no document$"):
        fit(plan(tmp_path, data=Text(Nothing("nowhere"), batch_size=4)), tmp_path / "run")


def test_held_out_text_that_fills_no_block_is_refused(tmp_path):
    asked = plan(tmp_path)
    (tmp_path / "corpus" / "9.txt").write_text("short")
    message = r"^data\.validation_share: must hold out a block of 16 tokens, got 0\.1 \(6 tokens\); 0 measures no eval"
    with pytest.raises(ValueError, match=message):
        fit(replace(asked, data=replace(asked.data, validation_share=0.1)), tmp_path / "run")
