"""A text with several sources: their shares hold from the very step of a stage, and every block is a function of it."""

import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_run import At, PowerCut, corpus, cut, plan, same, weights

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.plane.horizon import Horizon
from tl_search.plane.mixed import Mixed
from tl_search.report.event_files import read_curves
from tl_search.runs.layout import RunPaths
from tl_search.runs.record import RunRecord
from tl_search.text.files import TextFiles
from tl_search.text.mix import Mix
from tl_search.text.stdlib import StdlibText
from tl_search.training.callbacks.evaluation import mean_loss
from tl_search.training.data import held_out_batches
from tl_search.training.fit import fit
from tl_search.training.horizon import timeline_of
from tl_search.training.loggers import TensorBoard
from tl_search.training.mix_order import MixedLoader, MixOrder, mixed_since, spans_of, up_to
from tl_search.training.ordered import FROM_THE_START, Origin
from tl_search.training.retention import Checkpointing
from tl_search.training.stage_data import NAMES, BatchForm, check_data

# Two sources whose tokens tell which one they are of, and which block: 30 and 12 blocks of 5.
ROWS = (np.arange(151, dtype=np.uint16), np.arange(1000, 1061, dtype=np.uint16))
TEXT = Mix({"a": StdlibText(), "b": StdlibText()})
STAGES = Curriculum(
    {
        "only_a": Stage(steps=3, data={"mix": {"a": 1}}),
        "mostly_b": Stage(steps=4, data={"mix": {"a": 1, "b": 3}}),
        "other_loss": Stage(steps=2, weights={"next_token": 2}, data={"mix": {"a": 2, "b": 6}}),
        "equal": Stage(),
    }
)


def loader(batch_size=8, curriculum=STAGES, origin=FROM_THE_START, **changes):
    known = {"seed": 0, "drop_last": True, "rank": 0, "ranks": 1, "workers": 0, "limit": None, **changes}
    seed, drop_last, rank, ranks, workers, limit = known.values()
    spans = mixed_since(origin, curriculum, TEXT)
    form = partial(_form, curriculum)
    return MixedLoader(
        spans, ["a", "b"], ROWS, 5, batch_size, 1, seed, drop_last, rank, ranks, workers, limit, origin, form, 2000
    )


def _form(curriculum, step):
    return BatchForm.of(curriculum.stage_at(step).data, 5, TEXT)


def read(found, steps):
    """The first token of each block, by step."""
    return [
        batch[:, 0].tolist()
        for batch in itertools.islice(itertools.chain.from_iterable(itertools.repeat(found)), steps)
    ]


@settings(max_examples=20, deadline=None)
@given(
    spans=st.lists(
        st.tuples(st.integers(1, 40), st.lists(st.integers(0, 9), min_size=3, max_size=3).filter(any)),
        min_size=1,
        max_size=4,
    )
)
def test_every_beginning_of_a_span_has_its_shares_and_no_block_of_a_source_is_left_out(spans):
    firsts = [0, *itertools.accumulate(length for length, _ in spans)]
    order = MixOrder(
        [(first, [one / sum(shares) for one in shares]) for first, (_, shares) in zip(firsts, spans, strict=False)]
    )
    read = [0, 0, 0]
    for first, (length, shares) in zip(firsts, spans, strict=False):
        sources, before = order.at(first, length)
        for source, number in zip(sources, before, strict=True):
            assert shares[source]
            assert number == read[source]
            read[source] += 1
        if len(spans) == 1:
            for count in range(1, length + 1):
                for source, share in enumerate(shares):
                    assert abs((sources[:count] == source).sum() - count * share / sum(shares)) < 2


def test_the_shares_are_those_of_the_step_and_a_source_is_read_whole_before_it_is_read_again():
    found = read(loader(), 12)
    of_b = [sum(start >= 1000 for start in starts) for starts in found]
    assert of_b == [0] * 3 + [6] * 6 + [4] * 3
    for blocks, of in ((30, lambda start: start < 1000), (12, lambda start: start >= 1000)):
        every = [start for starts in found for start in starts if of(start)]
        passes = [every[first : first + blocks] for first in range(0, len(every), blocks)]
        assert all(len({*one}) == len(one) for one in passes)
        assert len(passes) > 1
        assert passes[0][: len(passes[1])] != passes[1]  # each pass has an order of its own


def test_a_stage_with_the_same_shares_changes_nothing_in_what_is_read():
    constant = Curriculum({"whole": Stage(data={"mix": {"a": 1, "b": 3}})})
    parts = Curriculum({f"part{n}": Stage(steps=2, data={"mix": {"b": 3.0 * n, "a": n}}) for n in (1, 2, 3)})
    assert read(loader(curriculum=parts), 10) == read(loader(curriculum=constant), 10)
    assert read(loader(curriculum=parts, seed=1), 10) != read(loader(curriculum=constant), 10)


def test_any_number_of_devices_reads_the_same_and_a_restored_loader_goes_on_with_the_next_batch():
    whole = read(loader(), 12)
    ranks = [read(loader(batch_size=4, rank=rank, ranks=2), 12) for rank in (0, 1)]
    assert [one + other for one, other in zip(*ranks, strict=True)] == whole
    first, restored = loader(), loader()
    read(first, 7)
    restored.load_state_dict(first.state_dict())
    assert read(restored, 5) == whole[7:]


def test_what_a_branch_reads_in_its_parents_order_begins_where_the_parent_has_come_to():
    before = up_to(spans_of(STAGES, TEXT, 0), 5)
    assert before == (Mixed(0, 3, {"a": 1.0, "b": 0.0}), Mixed(3, 5, {"a": 0.25, "b": 0.75}))
    whole, branch = loader(), loader(origin=Origin(mixed=before))
    for found in (whole, branch):
        found.epoch, found.position = divmod(5, found.length)
    assert read(branch, 7) == read(whole, 7)  # under the parent's curriculum, it is the parent
    only_b = Curriculum({"whole": Stage(data={"mix": {"b": 1}})})
    branch = loader(curriculum=only_b, origin=Origin(mixed=before))
    branch.epoch, branch.position = divmod(5, branch.length)
    parent_read = [start for starts in read(loader(), 5) for start in starts if start >= 1000]
    assert len({*parent_read}) == 12  # 2 steps of 6: one pass over b
    assert sorted([*itertools.chain(*read(branch, 3))][:12]) == sorted(parent_read)


def test_held_out_blocks_are_of_all_sources_by_their_size():
    (batch,) = held_out_batches(ROWS, 5, 7, 1)
    assert sorted(batch[:, 0].tolist()) == [0, 35, 70, 100, 135, 1020, 1055]
    assert held_out_batches((ROWS[0][:3], ROWS[1][:3]), 5, 7, 1) == []


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ({"c": 1}, r": must name sources out of a, b, got 'c'$"),
        ({"a": -1}, r"\.a: must be a finite number >= 0, got -1$"),
        ({"a": float("inf")}, r"\.a: must be a finite number >= 0, got inf$"),
        ({"a": float("nan")}, r"\.a: must be a finite number >= 0, got nan$"),
        ({"a": 0}, r": must give a source a share > 0, got \{'a': 0\}$"),
        ({}, r": must give a source a share > 0, got \{\}$"),
        (0.5, r": must be a mapping of sources to shares, got 0\.5$"),
    ],
)
def test_a_mix_that_is_none_is_refused_in_a_stage_and_of_the_corpus(mix, said):
    with pytest.raises(ValueError, match=rf"^curriculum\.stages\.s\.data\.mix{said}"):
        check_data(Curriculum({"s": Stage(data={"mix": mix})}), NAMES, partial(BatchForm.of, context=5, corpus=TEXT))
    if mix and isinstance(mix, dict):
        with pytest.raises(ValueError, match=rf"^mix{said}"):
            replace(TEXT, mix=mix)


def test_a_text_without_sources_has_no_mix_and_names_are_ones_that_can_be_typed():
    with pytest.raises(
        ValueError, match=r"data\.mix: must be left out, since the text has no sources \(data=mix has\)"
    ):
        check_data(Curriculum({"s": Stage(data={"mix": {"a": 1}})}), NAMES, partial(BatchForm.of, context=5))
    for sources, said in (
        ({"a.b": StdlibText()}, "names of letters"),
        ({}, "must hold a source"),
        ({"a": TEXT}, "a mix"),
    ):
        with pytest.raises(ValueError, match=rf"^sources.*{said}"):
            Mix(sources)
    with pytest.raises(ValueError, match=r"^sources\.b\.path: must name a text file"):
        Mix({"a": StdlibText(), "b": TextFiles("nowhere")}).check()


def mixed(folder: Path, **changes):
    """tiny_run's plan with two sources, the second of which has other letters."""
    corpus(folder / "plain")
    (folder / "loud").mkdir(exist_ok=True)
    for path in (folder / "plain").iterdir():
        (folder / "loud" / path.name).write_text(path.read_text().upper())
    text = Mix({name: TextFiles(str(folder / name)) for name in ("plain", "loud")}, {"plain": 1})
    stages = Curriculum(
        {"one": Stage(steps=4), "both": Stage(steps=5, data={"mix": {"plain": 1, "loud": 1}}), "last": Stage()}
    )
    data = replace(plan(folder).data, corpus=text, **changes.pop("data", {}))
    return plan(folder, **{"data": data, "curriculum": stages, **changes})


@pytest.mark.slow
def test_a_run_resumed_or_branched_in_mid_stage_is_the_run_that_was_never_stopped(tmp_path):
    kept, whole = Checkpointing(save_interval=3, save_last=9), tmp_path / "whole"
    fit(mixed(tmp_path, checkpoint=kept, logger={"tensorboard": TensorBoard()}), whole)
    curves = read_curves(whole / "tensorboard")
    assert {step: curves["curriculum/data/mix/loud"][step] for step in (0, 2, 4, 8, 9)} == {
        0: 0,
        2: 0,
        4: 0.5,
        8: 0.5,
        9: 0,
    }
    assert curves["curriculum/data/mix/plain"][4] == 0.5
    for workers in (0, 2):
        run = tmp_path / f"resumed{workers}"
        with pytest.raises(PowerCut):
            fit(mixed(tmp_path, callbacks={"cut": At(7, cut)}, checkpoint=kept), run)
        fit(mixed(tmp_path, data={"workers": workers}, checkpoint=kept), run)
        assert same(weights(run), weights(whole))
    branch = tmp_path / "branch"
    fit(mixed(tmp_path, branch_from=f"{whole}@step6", checkpoint=kept), branch)
    assert same(weights(branch), weights(whole))
    assert [span.end for span in RunRecord.read(branch).parent.mixed] == [4, 6]
    other = Curriculum({"whole": Stage()})
    fit(mixed(tmp_path, branch_from=f"{whole}@step6", curriculum=other), tmp_path / "other")
    assert not same(weights(tmp_path / "other"), weights(whole))


def test_each_source_has_an_eval_loss_of_its_own(tmp_path):
    made = mixed(tmp_path, logger={"tensorboard": TensorBoard()})
    fit(made, tmp_path / "run")
    curves = read_curves(tmp_path / "run" / "tensorboard")
    steps = curves["eval/loss"].keys()
    assert curves["eval/plain/loss"].keys() == curves["eval/loud/loss"].keys() == steps
    assert curves["eval/loud/loss"][3] > curves["eval/plain/loss"][3] + 0.01  # whose letters it had not seen
    packed = made.data.pack(made.tokenizer, tmp_path / "again", context=made.model.context)
    model = made.task.load(RunPaths(tmp_path / "run").revision("main"))
    module = made.task.module(model, timeline_of(made, Horizon(1), 1), made.optimizer)
    for name, part in packed.parts.items():
        batches = held_out_batches(
            part.validation, made.model.context, made.data.batch_size, made.data.validation_batches // 2
        )
        with torch.no_grad():
            wanted = mean_loss([module.held_out_loss(batch) for batch in batches], batches)
        assert curves[f"eval/{name}/loss"][max(steps)] == pytest.approx(wanted, abs=1e-4)


def test_a_run_may_stop_early_by_the_loss_on_a_source_and_by_no_other_name(tmp_path):
    def watching(monitor):
        stop = {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "monitor": monitor}
        return mixed(tmp_path, callbacks={"stop": stop})

    assert watching("eval/loud/loss").task.publishes(watching("eval/loud/loss")) == ["eval/loud/", "eval/plain/"]
    with pytest.raises(
        ValueError, match=r"^callbacks\.stop\.monitor: must be one of .*eval/loud/….*got 'eval/lod/loss'"
    ):
        watching("eval/lod/loss")


def test_each_source_is_measured_on_its_part_of_the_eval_losss_batches_or_told_to_be_too_short(tmp_path):
    made = mixed(tmp_path, trainer={**plan(tmp_path).trainer, "limit_val_batches": 1})
    packed = made.data.pack(made.tokenizer, tmp_path / "cache", context=made.model.context)
    (callback,) = made.task.measures(made, packed, {0}, False)
    assert {name: len(batches) for name, batches in callback.sources.items()} == {"loud": 1, "plain": 1}
    short = replace(packed.parts["loud"], validation=packed.parts["loud"].validation[:3])
    packed = replace(packed, parts={**packed.parts, "loud": short})
    with pytest.warns(UserWarning, match=r"sources: loud: hold out less than a block of 16 tokens"):
        (callback,) = made.task.measures(made, packed, {0}, False)
    assert [*callback.sources] == ["plain"]
