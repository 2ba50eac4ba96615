"""Columns that look like another model are told by their scores; smooth planes have none."""

import math
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
from probe.tiny_models import make

from tl_search.bandits.exhaustive import Exhaustive
from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.plane.arm import Plane
from tl_search.plane.extraction import Extraction
from tl_search.plane.revision import Revision
from tl_search.runs.outcome import Outcome
from tl_search.scoring.uncertainty import resample
from tl_search.search.apart import standing_apart
from tl_search.search.budget import Budget
from tl_search.search.run import run_search

STEPS = (0, 64, 128, 256, 512, 1000, 2000, 4000, 8000)
TASKS = ("one", "two", "three")
PUBLISHED = Path(os.environ.get("TL_PUBLISHED_PLANE", ""))  # columns step, layer, task, main_score


def plane_of(steps):
    return Plane("made", tuple(Revision(f"step{step}", step) for step in steps), 4, Extraction())


def rising(step, layer, task):
    """Points that rise with training, and most in the middle layers."""
    return 30 + 5 * TASKS.index(task) + 4 * math.log1p(step) + 3 * math.sin(layer)


def planted(noise=0.3, swapped=None, shape=rising, keep=1.0, seed=0):
    """A plane's scores with noise; at `swapped`, those of the last step."""
    draw, plane = random.Random(seed), plane_of(STEPS)
    points = {}
    for revision in plane.revisions:
        step = STEPS[-1] if revision.step == swapped else revision.step
        for arm in plane.column(revision):
            scores = {task: shape(step, arm.layer, task) + draw.gauss(0, noise) for task in TASKS}
            points[arm] = {task: score for task, score in scores.items() if draw.random() < keep}
    return points, plane.revisions


@pytest.mark.parametrize("swapped", [64, 128, 256])
def test_a_step_with_the_scores_of_a_late_model_is_told_and_no_other(swapped):
    (found,) = standing_apart(*planted(swapped=swapped))
    before, after = (f"step{STEPS[STEPS.index(swapped) + way]}" for way in (-1, 1))
    assert (found.revision, found.neighbours) == (f"step{swapped}", (before, after))
    assert found.points > found.limit
    assert found.sentence.startswith(f"step{swapped} looks like another model: its scores are ")
    assert f"above those of both {before} and {after} (median of 12)" in found.sentence


def test_a_late_step_with_the_weights_of_step_0_stands_below_its_neighbours():
    points, revisions = planted()
    start, late = ([arm for arm in points if arm.revision.name == name] for name in ("step0", "step2000"))
    points |= {arm: points[zero] for arm, zero in zip(late, start, strict=True)}
    assert [one.revision for one in standing_apart(points, revisions) if one.points < 0] == ["step2000"]


def test_two_wrong_columns_are_both_told():
    points, revisions = planted(swapped=64)
    last = {arm.layer: scores for arm, scores in points.items() if arm.revision.name == "step8000"}
    points |= {arm: last[arm.layer] for arm in points if arm.revision.name == "step512"}
    assert [one.revision for one in standing_apart(points, revisions)] == ["step64", "step512"]


def test_a_search_that_measured_a_part_is_enough_where_the_column_was_measured():
    found = standing_apart(*planted(swapped=128, keep=0.8))
    assert [one.revision for one in found] == ["step128"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise", [0.0, 0.3, 3.0])
@pytest.mark.parametrize(
    "shape",
    [
        rising,
        lambda step, layer, task: 40.0 + layer,  # nothing is learnt
        lambda step, layer, task: 50 - 2 * abs(STEPS.index(step) - 4) + layer,  # best in the middle, with a kink
        lambda step, layer, task: 40 + 20 * (step > 300),  # learnt at once
    ],
)
def test_a_plane_without_a_mistake_has_none(shape, noise, seed):
    assert standing_apart(*planted(noise, shape=shape, seed=seed)) == ()


def test_one_strange_task_or_too_few_scores_are_not_enough():
    points, revisions = planted()
    for arm, scores in points.items():
        if arm.revision.name == "step256":
            scores["one"] = 99.0
    assert standing_apart(points, revisions) == ()
    few = {arm: {"one": scores["one"]} for arm, scores in points.items()}  # 4 layers of one task
    assert standing_apart(few, revisions) == ()
    assert standing_apart({}, revisions) == ()


def published():
    import pandas as pd

    table = pd.read_parquet(PUBLISHED)
    revisions = tuple(Revision(f"step{step:.0f}", int(step)) for step in sorted(table.step.unique()))
    plane = Plane("pythia-410m", revisions, 24, Extraction())
    of_step, points = {revision.step: revision for revision in revisions}, {}
    for row in table.itertuples():
        points.setdefault(plane.arm(of_step[int(row.step)], row.layer), {})[row.task] = 100 * row.main_score
    return points, revisions


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="TL_PUBLISHED_PLANE names no file")
def test_on_a_published_plane_none_stands_apart_until_a_late_column_is_planted():
    points, revisions = published()
    assert standing_apart(points, revisions) == ()
    last = {arm.layer: scores for arm, scores in points.items() if arm.revision == revisions[-1]}
    for step in (64, 128, 256, 512, 1000):
        swapped = {arm: last[arm.layer] if arm.revision.step == step else scores for arm, scores in points.items()}
        assert [one.revision for one in standing_apart(swapped, revisions)] == [f"step{step}"]


@pytest.mark.slow
def test_a_search_writes_what_stands_apart_into_its_result(plan, tmp_path, monkeypatch, caplog):
    """Real columns of five models, one of which scores as no other: its evaluation is made to."""
    for number, step in enumerate((0, 2, 4, 8, 16)):
        make(tmp_path / "models" / f"step{step}", seed=number, num_hidden_layers=3)
    real = resample.estimate_cell

    def scored(arm, task, vectors):
        score = real(arm, task, vectors)
        return replace(score, value=0.9 if arm.revision.step == 4 else 0.3 + arm.revision.step / 1000)

    monkeypatch.setattr(resample, "estimate_cell", scored)
    source = FolderCheckpoints(str(tmp_path / "models"))
    assert run_search(plan(checkpoints=source, bandit=Exhaustive(), budget=Budget(share=1.0)), tmp_path / "run") == 0
    (found,) = Outcome.read(tmp_path / "run").suspect
    assert (found.revision, found.neighbours, found.scores) == ("step4", ("step2", "step8"), 6)
    assert found.sentence in caplog.text
