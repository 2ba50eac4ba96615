"""Whatever stops a run, the same call goes on and ends with the same bits."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from tiny_run import At, PowerCut, cut, plan, same, weights

from tl_search.runs.index import read_index
from tl_search.training.fit import fit


def states(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").glob("step*"))


def damage(run: Path, state: str) -> None:
    file = run / "checkpoints" / state / "state.ckpt"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.slow_but_one
@pytest.mark.parametrize("step", [1, 3, 6, 7, 13])
def test_a_cut_run_ends_with_the_same_weights_and_the_same_index(finished, tmp_path, step):
    run = tmp_path / "run"
    broken = plan(finished.parent, callbacks={"cut": At(step, cut)}, save_interval=3)
    with pytest.raises(PowerCut):
        fit(broken, run)
    fit(plan(finished.parent, save_interval=5), run)
    assert same(weights(run), weights(finished))
    assert read_index(run) == read_index(finished)


@pytest.mark.slow
def test_a_cut_inside_an_accumulated_step_is_exact_too(tmp_path):
    few = replace(plan(tmp_path).data, batch_size=1)
    trainer = {"accumulate_grad_batches": 4, "max_steps": 9}
    fit(plan(tmp_path, data=few, trainer=trainer), tmp_path / "whole")
    broken = plan(tmp_path, data=few, trainer=trainer, save_interval=2, callbacks={"cut": At(7, cut)})
    with pytest.raises(PowerCut):
        fit(broken, tmp_path / "run")
    fit(plan(tmp_path, data=few, trainer=trainer), tmp_path / "run")
    assert same(weights(tmp_path / "run"), weights(tmp_path / "whole"))


@pytest.mark.slow
def test_a_run_told_to_stop_inside_an_accumulated_step_finishes_that_step(tmp_path):
    class Inside(Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            seen.append((trainer.global_step, batch_idx))
            if batch_idx == 4 * 5 + 1:  # the second of four
                os.kill(os.getpid(), signal.SIGTERM)

    seen, run, few = [], tmp_path / "run", replace(plan(tmp_path).data, batch_size=1)
    asked = {"data": few, "trainer": {"accumulate_grad_batches": 4, "max_steps": 9}}
    fit(plan(tmp_path, **asked), tmp_path / "whole")
    with pytest.raises(SystemExit) as stop:
        fit(plan(tmp_path, **asked, callbacks={"inside": Inside()}), run)
    assert (stop.value.code, seen[-1]) == (143, (5, 23))
    assert states(run) == ["step4", "step6"]
    fit(plan(tmp_path, **asked), run)
    assert same(weights(run), weights(tmp_path / "whole"))


def test_a_resumed_run_repeats_at_most_the_save_interval(finished, tmp_path):
    run, seen = tmp_path / "run", []
    with pytest.raises(PowerCut):
        fit(plan(finished.parent, callbacks={"cut": At(11, cut)}), run)
    assert json.loads((run / "checkpoints" / "last.json").read_text()) == {"name": "step8", "step": 8}
    watch = {str(step): At(step, lambda step=step: seen.append(step)) for step in range(15)}
    fit(plan(finished.parent, callbacks=watch), run)
    assert seen == list(range(9, 15))


def test_only_the_two_newest_states_are_kept(finished, tmp_path):
    fit(plan(finished.parent, callbacks={}), tmp_path / "run")
    assert states(tmp_path / "run") == ["step12", "step14"]


def test_a_damaged_state_is_passed_over_with_a_warning_that_names_both(finished, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(PowerCut):
        fit(plan(finished.parent, callbacks={"cut": At(11, cut)}), run)
    damage(run, "step8")
    with pytest.warns(UserWarning, match=r"step8.*step4"):
        fit(plan(finished.parent), run)
    assert same(weights(run), weights(finished))
    assert (run / "quarantine" / "step8").is_dir()


def test_a_run_with_only_damaged_states_never_starts_over_in_silence(finished, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(PowerCut):
        fit(plan(finished.parent, callbacks={"cut": At(5, cut)}), run)
    damage(run, "step4")
    for _ in range(2):  # the second call finds the damaged state gone, and must not take that for a fresh run
        with pytest.raises(ValueError, match="has no undamaged training state"):
            fit(plan(finished.parent), run)


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)], ids=["ctrl-c", "sigterm"]
)
def test_a_run_told_to_stop_saves_that_very_step_and_says_how_it_ended(finished, tmp_path, number, raised):
    run, before = tmp_path / "run", signal.getsignal(number)
    asked = plan(finished.parent, callbacks={"stop": At(7, lambda: os.kill(os.getpid(), number))})
    with pytest.raises(raised) as stop:
        fit(asked, run)
    if raised is SystemExit:
        assert stop.value.code == 143
    assert signal.getsignal(number) == before
    assert states(run) == ["step4", "step7"]
    fit(plan(finished.parent), run)
    assert same(weights(run), weights(finished))


@pytest.mark.slow
def test_workers_leave_a_signal_to_the_run_and_may_be_others_after_it(finished, tmp_path):
    """The terminal and the scheduler signal the whole group of processes."""

    def all_of_them():
        workers = multiprocessing.active_children()
        pids = [worker.pid for worker in workers]
        subprocess.run(["sh", "-c", f"kill -TERM {' '.join(map(str, pids))} {os.getpid()}"], check=True)
        ended.append(wait([worker.sentinel for worker in workers], timeout=0.3))
        assert len(workers) == 2

    ended, text = [], plan(finished.parent).data
    with pytest.raises(SystemExit) as stop:
        fit(plan(finished.parent, data=replace(text, workers=2), callbacks={"s": At(8, all_of_them)}), tmp_path / "run")
    assert (stop.value.code, ended) == (143, [[]])
    assert states(tmp_path / "run") == ["step4", "step8"]
    fit(plan(finished.parent, data=replace(text, workers=1)), tmp_path / "run")
    assert same(weights(tmp_path / "run"), weights(finished))
    assert not multiprocessing.active_children()


@pytest.mark.slow_but_one
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_schedulers_warning_saves_and_reaches_whom_it_was_meant_for(finished, tmp_path, number):
    run, heard, before = tmp_path / "run", [], signal.getsignal(number)
    asked = plan(finished.parent, callbacks={"stop": At(7, lambda: os.kill(os.getpid(), number))})
    signal.signal(number, lambda received, _: heard.append((received, states(run))))
    try:
        with pytest.raises(SystemExit) as stop:
            fit(asked, run)
    finally:
        signal.signal(number, before)
    assert stop.value.code == 75
    assert heard == [(number, ["step4", "step7"])]
    fit(plan(finished.parent), run)
    assert same(weights(run), weights(finished))


def test_a_second_wish_to_stop_ends_the_run_at_once(finished, tmp_path):
    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(plan(finished.parent, callbacks={"stop": At(6, twice)}), tmp_path / "run")
    assert states(tmp_path / "run") == ["step4"]


def test_a_process_killed_in_mid_write_goes_on_to_the_same_weights(finished, tmp_path):
    """SIGKILL while the state of step 8 is half on disk."""
    script = f"""
        import os, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import torch
        torch.set_num_threads(1)
        from tiny_run import plan
        from tl_search.training.checkpoint_io import AtomicCheckpointIO
        from tl_search.training.fit import fit
        save = torch.save
        def torn(state, file):
            if state["global_step"] == 8:
                file.write(b"half"); file.flush(); os.kill(os.getpid(), signal.SIGKILL)
            save(state, file)
        torch.save = torn
        fit(plan(Path({str(finished.parent)!r})), Path({str(tmp_path / "run")!r}))
    """
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, cwd=Path(__file__).parents[2])
    assert died.returncode == -signal.SIGKILL
    run = tmp_path / "run"
    assert states(run) == ["step6", "step7"]
    fit(plan(finished.parent), run)
    assert same(weights(run), weights(finished))
    assert read_index(run) == read_index(finished)
    assert not list(run.rglob(".aside-*"))


def test_a_state_loads_without_any_code_in_it(finished):
    state = torch.load(finished / "checkpoints" / "step14" / "state.ckpt", weights_only=True)
    assert state["global_step"] == 14


def test_an_interrupt_before_the_run_listens_is_still_an_interrupt(tmp_path):
    class Early(Callback):
        def on_train_start(self, *_):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # Lightning makes exit code 1 of it
        fit(plan(tmp_path, callbacks={"early": Early()}), tmp_path / "run")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGUSR1, 75)])
def test_a_signal_before_the_first_step_is_a_wish_too(finished, tmp_path, number, code):
    """While the first step's model is measured and saved, and whatever else callbacks do there."""

    class Early(Callback):
        def on_train_start(self, *_):
            os.kill(os.getpid(), number)

    with pytest.raises(SystemExit) as stop:
        fit(plan(finished.parent, callbacks={"early": Early()}), tmp_path / "run")
    assert stop.value.code == code
    assert states(tmp_path / "run") == ["step1"]


def test_a_schedulers_warning_that_comes_twice_is_handed_on_once(finished, tmp_path):
    def twice():
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)

    heard = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        with pytest.raises(SystemExit) as stop:
            fit(plan(finished.parent, callbacks={"stop": At(6, twice)}), tmp_path / "run")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert stop.value.code == 75
    assert heard == [signal.SIGUSR1]
