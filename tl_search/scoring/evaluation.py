"""Runs mteb's own evaluation on one split and subset of a task.

Some things that mteb does in every evaluation would take most of a cell's time (loading data, reading label columns row
by row). Others would change the score (the random state of a task that was evaluated before, global seeds, the cache).
So a task is loaded once per process, and every evaluation gets its own copy of the task as it was loaded.
"""

import copy
import json
import math
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tl_search.errors.nearest import did_you_mean
from tl_search.plane.arm import Arm
from tl_search.plane.pull import Score, TaskSpec
from tl_search.plane.share import ALL, share_text, split_name
from tl_search.scoring.catalogue import get_task
from tl_search.scoring.fetching import fetching
from tl_search.scoring.parts.halves import half
from tl_search.scoring.parts.shares import draw
from tl_search.scoring.parts.splits import CONFIRMATION, OFFICIAL, ROLES, official_split, pair, parted
from tl_search.scoring.quicker.columns import columns_read_at_once
from tl_search.scoring.quicker.one_thread import one_thread_where_solved
from tl_search.scoring.quicker.pair_thresholds import try_thresholds_at_once
from tl_search.scoring.randomness import undisturbed_randomness
from tl_search.scoring.rows import check_classes, check_rows, leave_out_nulls

BATCH = 1024  # texts per call of the encoder; large, because looking vectors up is cheap and each call is not


@dataclass(frozen=True)
class Evaluation:
    """The result of one evaluation.

    Args:
        result: mteb's record of the evaluation, as mteb writes it to disk; None where mteb writes NaN.
        value: The main score, rounded to 6 digits.
    """

    result: dict[str, Any]
    value: float
    seconds: float


def describe(
    name: str,
    split: str,
    subset: str | None = None,
    skip_nulls: bool = False,
    folder: Path | None = None,
    items: str = ALL,
) -> TaskSpec:
    """Everything that identifies a score of this task: its data, its seed and the version of its evaluator.

    Args:
        split: One of the task's eval_splits, another split of its data set, a half of one, or what a split is for,
            as `splits` says.
        subset: mteb's hf_subset, or several with commas between them; may be left out where the task has only one.
        skip_nulls: Whether rows without a value are left out; otherwise they are refused.
        folder: A folder of a person's own tasks, in which the name is looked up first.
        items: The share of the split's items, as `shares` draws it; a share needs the data.

    Raises:
        ValueError: there is no such task, split, subset or share, or the task's classifier is trained on this split.
    """
    items = share_text(items)
    task = get_task(name, folder)
    subset = _subset(name, subset, list(task.hf_subsets))
    split = _meant(task, split, subset, skip_nulls, folder)
    whole, part = parted(split)
    if part is not None or split not in task.metadata.eval_splits:
        if whole == getattr(task, "train_split", None) and not getattr(task, "is_cross_validation", False):
            raise ValueError(f"split: must not be {split!r} of {name}: its classifier is trained on that split")
        _loaded(name, split, subset, skip_nulls, folder)
    if items != ALL:
        _loaded(name, split, subset, skip_nulls, folder, items)
    return TaskSpec(
        name=name,
        revision=str(task.metadata.dataset["revision"]),
        split=split,
        type=task.metadata.type,
        main_score=task.metadata.main_score,
        subset=subset,
        seed=task.seed,
        mteb=_installed(),
        skip_nulls=skip_nulls,
        folder=None if folder is None else str(folder),
        superseded_by=task.superseded_by,
        items=items,
    )


def _meant(task: Any, split: str, subset: str, skip_nulls: bool, folder: Path | None) -> str:
    """The split that is meant by what it is for."""
    name, known = task.metadata.name, task.metadata.eval_splits
    if split not in ROLES or split in known:
        return split
    if split == OFFICIAL:
        return official_split(name, known)

    def in_data(loaded: str) -> list[str]:
        data = _loaded(name, loaded, subset, skip_nulls, folder)
        of_each = [set(split_data(data, one)) for one in subset.split(",")]
        return sorted(set.intersection(*of_each))

    return pair(task, in_data)[split == CONFIRMATION]


@lru_cache
def _installed() -> str:
    return version("mteb")


def kind(name: str, folder: Path | None = None) -> tuple[str, tuple[str, ...]]:
    """mteb's type of a task, and its eval_splits, which are known without its data. Raises ValueError as `describe`."""
    about = get_task(name, folder).metadata
    return str(about.type), tuple(about.eval_splits)


def fresh_task(spec: TaskSpec) -> Any:
    """A copy of the task with its data that has not been evaluated.

    Raises:
        ValueError: the installed mteb, or the revision of the data, is not the one in the spec.
    """
    if spec.mteb != _installed():
        raise ValueError(f"mteb: must be {spec.mteb} for {spec.name}, got {version('mteb')}")
    folder = spec.folder and Path(spec.folder)
    loaded = _loaded(spec.name, spec.split, spec.subset, spec.skip_nulls, folder or None, spec.items)
    if spec.revision != str(loaded.metadata.dataset["revision"]):
        raise ValueError(
            f"task: {spec.name} must have revision {spec.revision}, got {loaded.metadata.dataset['revision']}"
        )
    task = copy.deepcopy(loaded)  # the copy shares the data but has its own random state
    task.check_if_dataset_is_superseded = lambda: None  # mteb has warned already, when the task was loaded
    if spec.type == "PairClassification":
        try_thresholds_at_once(task)
    elif spec.type == "Classification":
        from tl_search.scoring.quicker.class_measures import count_classes_once

        count_classes_once(task)
    return task


def evaluate(spec: TaskSpec, encoder: Any, task: Any = None, predictions: bool = False) -> Evaluation:
    """Run mteb on the spec's split and subset, or on its share of their items, whose record names the share.

    Args:
        encoder: An object with mteb's EncoderProtocol.
        task: A task from `fresh_task` that has not been evaluated; made here where it is None.
        predictions: Whether mteb gives its predictions to the task's `_save_task_predictions`.

    Raises:
        ValueError: the main score is not a finite number.
    """
    import mteb

    with undisturbed_randomness(), _quiet(), columns_read_at_once(), one_thread_where_solved(spec.type):
        task = task or fresh_task(spec)
        started = time.monotonic()
        results = mteb.evaluate(
            encoder,
            task,
            cache=None,  # its files do not distinguish layers, and two writers would damage them
            co2_tracker=False,
            encode_kwargs={"batch_size": BATCH, "show_progress_bar": False},
            prediction_folder=Path("none") if predictions else None,  # where they go is the task's affair
            show_progress_bar=False,
        )
        seconds = time.monotonic() - started
    result = _as_written(results.task_results[0])
    values = [scores["main_score"] for scores in result["scores"][spec.scored_on]]
    if not values or any(one is None or not math.isfinite(one) for one in values):
        raise ValueError(f"{spec.name}: its {spec.main_score} is not a number for these vectors")
    value = sum(values) / len(values)  # as mteb's own mean of a task's subsets
    return Evaluation(result, round(float(value), 6), seconds)


def score_cell(arm: Arm, task: TaskSpec, vectors: Mapping[str, np.ndarray]) -> Score:
    """The score of an arm on a task; the same vectors always give the same score.

    Args:
        vectors: Text digest → vector (width,), for all texts of `task_texts`; others are ignored.

    Raises:
        ValueError: a vector is missing or not finite, all vectors are equal, or mteb's score is not a finite number.
    """
    from tl_search.scoring.encoder import VectorEncoder

    found = evaluate(task, VectorEncoder(arm, vectors))
    return Score(arm, task, found.value, found.seconds, found.result)


def must_be_one_of(field: str, value: str, known: Iterable[str]) -> str:
    """The error message for a value that is not one of the known ones."""
    known = list(known)
    return f"{field}: must be one of {', '.join(known)}, got {value!r}{did_you_mean(value, known)}"


def _subset(name: str, subset: str | None, known: list[str]) -> str:
    if subset is None and len(known) == 1:
        return known[0]
    if subset is None:
        listed = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
        raise ValueError(f"subset: {name} has {len(known)} ({listed}), so one must be named")
    named = [one.strip() for one in subset.split(",")]
    for one in named:
        if one not in known:
            raise ValueError(must_be_one_of("subset", one, known))
    return ",".join(dict.fromkeys(named))


@lru_cache(maxsize=64)
def _loaded(name: str, split: str, subset: str, skip_nulls: bool, folder: Path | None = None, items: str = ALL) -> Any:
    """The task with its data, not evaluated yet. It is loaded once, since loading may change its random state."""
    if items != ALL:
        task = copy.deepcopy(_loaded(name, split, subset, skip_nulls, folder))
        draw(task, [split_data(task, one) for one in subset.split(",")], split, items)
        return task.filter_eval_splits([split_name(split, items)])
    whole, part = parted(split)
    if part is not None:
        task = copy.deepcopy(_loaded(name, whole, subset, skip_nulls, folder))
        for one in subset.split(","):
            data = split_data(task, one)
            data[split] = half(task, data[whole], part)
            check_classes(task, data, split)
        return task.filter_eval_splits([split])
    with undisturbed_randomness(), _quiet():
        task = get_task(name, folder).filter_eval_splits([split])
        task.hf_subsets = subset.split(",")
        task.check_if_dataset_is_superseded()
        with fetching(task):
            try:
                task.load_data()
            except (KeyError, ValueError) as error:
                if split in task.metadata.eval_splits:
                    raise
                known = must_be_one_of(f"split: {name}", split, sorted(task.metadata.eval_splits))
                raise ValueError(f"{known} ({error})") from error
        if hasattr(task, "convert_v1_dataset_format_to_v2"):  # older retrieval tasks store their data differently
            task.convert_v1_dataset_format_to_v2(num_proc=None)
    for one in subset.split(","):
        data = split_data(task, one)
        if split not in data:
            raise ValueError(must_be_one_of(f"split: {name}", split, sorted(data)))
        if skip_nulls:
            leave_out_nulls(task, data, split)
        check_rows(task, data, split)
        check_classes(task, data, split)
    return task


def split_data(task: Any, subset: str) -> Any:
    """Split → data of one subset; mteb leaves out the level of subsets where there is only one."""
    return task.dataset[subset] if subset in task.dataset or subset != "default" else task.dataset


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress what mteb would print for every cell: progress bars, and warnings of classifiers that are expected."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning

    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        with warnings.catch_warnings():
            for category in (ConvergenceWarning, UndefinedMetricWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        if shown:
            enable_progress_bars()


def _as_written(result: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "result.json")
        result.to_disk(path)
        # mteb writes NaN for measures without a value (nAUC), which is not valid JSON
        return json.loads(path.read_text(), parse_constant=lambda _: None)
