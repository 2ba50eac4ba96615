"""Saving goes on beside training, in order, and fails aloud."""

import errno
import json
import resource
import shutil
import threading
from collections import namedtuple
from dataclasses import replace
from itertools import accumulate

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from tiny_run import PLAN, At, PowerCut, context, cut, plan, same, weights
from torch.nn import Linear

from tl_search.plane.schedules.linear import LinearSchedule
from tl_search.runs.index import read_index
from tl_search.store.manifest import verify
from tl_search.training.checkpoint_io import AtomicCheckpointIO
from tl_search.training.fit import fit
from tl_search.training.optim import AdamW
from tl_search.training.retention import Checkpointing
from tl_search.training.revisions import write_revision
from tl_search.training.saving import BackgroundWriter


def test_what_is_written_is_what_the_value_was_when_it_was_given():
    value, seen, gate = {"weight": torch.zeros(3), "list": [1]}, [], threading.Event()
    with BackgroundWriter() as saves:
        saves.submit(gate.wait)
        saves.save(1, value, seen.append)
        value["weight"].add_(1)
        value["list"].append(2)
        gate.set()
        saves.drain()
        assert seen[0]["list"] == [1]
        assert seen[0]["weight"].tolist() == [0, 0, 0]


def test_tied_tensors_stay_tied_and_containers_keep_their_kind():
    model, kept = Linear(2, 2), []
    Pair = namedtuple("Pair", "a b")
    value = {"first": model.weight, "second": model.weight, "pair": Pair(1, (2,)), "state": model.state_dict()}
    with BackgroundWriter() as saves:
        saves.save(1, value, lambda copy: kept.append(copy))
    copy = kept[0]
    assert copy["first"].data_ptr() == copy["second"].data_ptr() == copy["state"]["weight"].data_ptr()
    assert copy["first"].data_ptr() != model.weight.data_ptr()
    assert copy["pair"] == Pair(1, (2,))
    assert copy["state"]._metadata == value["state"]._metadata


def test_jobs_are_done_in_order_and_memory_is_used_again():
    order, places, tensor = [], set(), torch.zeros(1000)
    with BackgroundWriter() as saves:
        for number in range(20):
            saves.save(number, tensor, lambda copy, number=number: (order.append(number), places.add(copy.data_ptr())))
    assert order == list(range(20))
    assert len(places) <= 2


def test_the_thread_takes_no_second_team_of_cores_and_leaves_the_trainings_alone():
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        with BackgroundWriter() as saves:
            saves.submit(lambda: seen.append(torch.get_num_threads()))
            saves.drain()
            assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_a_third_snapshot_waits_for_the_first():
    gate, third = threading.Event(), threading.Event()
    with BackgroundWriter() as saves:
        for number in range(2):
            saves.save(number, torch.zeros(1), lambda _: gate.wait())

        def give():
            saves.save(2, torch.zeros(1), lambda _: None)
            third.set()

        giver = threading.Thread(target=give)
        giver.start()
        assert not third.wait(0.1)
        gate.set()
        assert third.wait(5)
        giver.join()


def test_a_failure_ends_the_work_and_is_raised_where_the_next_step_looks():
    done = []
    saves = BackgroundWriter()
    saves.submit(lambda: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    for look in (saves.drain, saves.check, lambda: saves.submit(lambda: done.append(1))):
        with pytest.raises(OSError, match="full"):
            look()
    assert not done


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_thread_writes_the_same_bytes_as_waiting_for_the_disk_does(finished, tmp_path):
    waiting = replace(PLAN.checkpoint, asynchronous=False)
    fit(plan(finished.parent, checkpoint=waiting), tmp_path / "run")
    assert tree(tmp_path / "run" / "revisions") == tree(finished / "revisions")
    assert read_index(tmp_path / "run") == read_index(finished)


def test_the_files_are_those_that_transformers_itself_would_write(finished, tmp_path):
    from transformers import AutoModelForCausalLM

    source = finished / "revisions" / "step14"
    AutoModelForCausalLM.from_pretrained(source).save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()


def test_every_folder_says_what_it_holds_and_with_which_settings(finished):
    for line in read_index(finished):
        manifest = verify(finished / "revisions" / line.name)
        assert line.files == {name: facts["sha256"] for name, facts in manifest["files"].items()}
        assert {"model.safetensors", "config.json", "run.yaml"} <= set(line.files)
    assert verify(finished / "checkpoints" / "step14")["files"].keys() == {"state.ckpt", "run.yaml"}
    assert "max_steps: 14" in (finished / "checkpoints" / "step14" / "run.yaml").read_text()
    assert json.loads((finished / "run.json").read_text())["weights"] == "raw"


def test_the_index_keeps_the_best_so_far_while_losses_rise_and_after_a_resume(tmp_path):
    """Steps far too large: what was best comes before the cut, and losses after it are higher."""
    asked = {"optimizer": AdamW(lr=1.0, warmup_steps=2), "schedule": LinearSchedule(None, 1), "save_interval": 3}
    with pytest.raises(PowerCut):
        fit(plan(tmp_path, **asked, callbacks={"cut": At(4, cut)}), tmp_path / "run")
    fit(plan(tmp_path, **asked, trainer={"max_steps": 14}), tmp_path / "run")
    losses = [line.eval_loss for line in read_index(tmp_path / "run")]
    assert min(losses[:4]) < losses[4]
    assert [line.best for line in read_index(tmp_path / "run")] == [*accumulate(losses, min)]


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_full_disk_ends_the_run_with_a_message_and_earlier_states_are_whole(
    finished, tmp_path, monkeypatch, asynchronous
):
    run, usage = tmp_path / "run", shutil.disk_usage(tmp_path)
    full = At(9, lambda: monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10)))
    with pytest.raises(OSError, match=r"bytes needed, 10 free") as error:
        fit(
            plan(
                finished.parent,
                callbacks={"full": full},
                checkpoint=Checkpointing(save_interval=4, asynchronous=asynchronous),
            ),
            run,
        )
    assert error.value.errno == errno.ENOSPC
    assert str(run) in str(error.value.filename)
    verify(run / "checkpoints" / "step8")
    monkeypatch.undo()
    fit(plan(finished.parent), run)
    assert same(weights(run), weights(finished))


def test_a_disk_that_fills_up_in_mid_write_ends_the_run_too(finished, tmp_path, monkeypatch):
    run, save = tmp_path / "run", torch.save

    def full(state, file):
        if state["global_step"] == 8:
            file.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(state, file)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left") as error:
        fit(plan(finished.parent, callbacks={}), run)
    assert error.value.errno == errno.ENOSPC
    assert [path.name for path in (run / "checkpoints").glob("step*")] == ["step4"]
    assert not list(run.rglob(".aside-*"))
    monkeypatch.undo()
    fit(plan(finished.parent), run)
    assert same(weights(run), weights(finished))


def test_what_was_given_before_an_error_is_still_written(finished, tmp_path):
    with pytest.raises(PowerCut):
        fit(plan(finished.parent, callbacks={"cut": At(9, cut)}), tmp_path / "run")
    assert json.loads((tmp_path / "run/checkpoints/last.json").read_text())["step"] == 8
    verify(tmp_path / "run" / "checkpoints" / "step8")


def test_lightnings_own_checkpoint_may_stand_beside_ours(finished, tmp_path):
    def stock(**more):
        kept = ModelCheckpoint(dirpath=tmp_path / "stock", monitor="eval/loss", save_top_k=2, every_n_train_steps=3)
        return plan(finished.parent, callbacks={"stock": kept, **more})

    with pytest.raises(PowerCut):
        fit(stock(cut=At(9, cut)), tmp_path / "run")
    fit(stock(), tmp_path / "run")
    assert same(weights(tmp_path / "run"), weights(finished))
    files = list((tmp_path / "stock").glob("*.ckpt"))
    assert len(files) == 2
    assert all(AtomicCheckpointIO().load_checkpoint(file)["global_step"] % 3 == 0 for file in files)


@pytest.mark.parametrize("file", ["revisions/step0/model.safetensors", "checkpoints/step14/state.ckpt"])
def test_a_disk_that_takes_no_more_is_told_as_such_whichever_library_meets_it(finished, tmp_path, file):
    """Here by the system's limit on a file's size, which fails in the same calls: safetensors', then PyTorch's."""
    run, limits = tmp_path / "run", resource.getrlimit(resource.RLIMIT_FSIZE)
    room = (finished / file).stat().st_size * 2 // 3
    full = At(9, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1])))
    waiting = Checkpointing(save_interval=3, asynchronous=False)
    try:
        with pytest.raises(OSError, match="File too large") as error:
            fit(plan(finished.parent, callbacks={"full": full}, checkpoint=waiting), run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.errno == errno.EFBIG
    assert str(run) in str(error.value.filename)
    verify(run / "checkpoints" / "step6")
    assert not list(run.rglob(".aside-*"))
    fit(plan(finished.parent), run)
    assert same(weights(run), weights(finished))


def test_tied_weights_are_written_once_and_load_tied(finished, tmp_path):
    from safetensors import safe_open
    from transformers import AutoModelForCausalLM

    source = finished / "revisions" / "step14"
    model = AutoModelForCausalLM.from_config(
        AutoModelForCausalLM.from_pretrained(source).config.__class__(
            vocab_size=257, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            tie_word_embeddings=True,
        )
    )  # fmt: skip
    with BackgroundWriter() as saves:
        write_revision(context(tmp_path, [0], saves), model, 0, None, None)
        expected = model.get_input_embeddings().weight.detach().clone()
        model.get_input_embeddings().weight.data.zero_()  # training goes on
    folder = tmp_path / "revisions" / "step0"
    with safe_open(folder / "model.safetensors", "pt") as file:
        assert sum("embed" in name for name in file.keys()) == 1  # noqa: SIM118  # it is no mapping
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    assert loaded.get_input_embeddings().weight is loaded.get_output_embeddings().weight
    assert torch.equal(loaded.get_input_embeddings().weight, expected)
