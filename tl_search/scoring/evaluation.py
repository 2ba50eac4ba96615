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
from tl_search.scoring.catalogue import get_task
from tl_search.scoring.randomness import undisturbed_randomness
from tl_search.scoring.read_once import read_labels_once
from tl_search.scoring.rows import check_rows, leave_out_nulls

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


def describe(name: str, split: str, subset: str | None = None, skip_nulls: bool = False) -> TaskSpec:
    """Everything that identifies a score of this task: its data, its seed and the version of its evaluator.

    Args:
        split: One of the task's eval_splits, or another split of its data set.
        subset: mteb's hf_subset; may be left out where the task has only one.
        skip_nulls: Whether rows without a value are left out; otherwise they are refused.

    Raises:
        ValueError: there is no such task, split or subset, or the task's classifier is trained on this split.
    """
    task = get_task(name)
    subset = _subset(name, subset, list(task.hf_subsets))
    if split not in task.metadata.eval_splits:
        if split == getattr(task, "train_split", None) and not getattr(task, "is_cross_validation", False):
            raise ValueError(f"split: must not be {split!r} of {name}: its classifier is trained on that split")
        _loaded(name, split, subset, skip_nulls)
    return TaskSpec(
        name=name,
        revision=str(task.metadata.dataset["revision"]),
        split=split,
        type=task.metadata.type,
        main_score=task.metadata.main_score,
        subset=subset,
        seed=task.seed,
        mteb=version("mteb"),
        skip_nulls=skip_nulls,
    )


def fresh_task(spec: TaskSpec) -> Any:
    """A copy of the task with its data that has not been evaluated.

    Raises:
        ValueError: the installed mteb, or the revision of the data, is not the one in the spec.
    """
    if spec.mteb != version("mteb"):
        raise ValueError(f"mteb: must be {spec.mteb} for {spec.name}, got {version('mteb')}")
    loaded = _loaded(spec.name, spec.split, spec.subset, spec.skip_nulls)
    if spec.revision != str(loaded.metadata.dataset["revision"]):
        raise ValueError(
            f"task: {spec.name} must have revision {spec.revision}, got {loaded.metadata.dataset['revision']}"
        )
    task = copy.deepcopy(loaded)  # the copy shares the data but has its own random state
    task.check_if_dataset_is_superseded = lambda: None  # mteb has warned already, when the task was loaded
    if spec.type == "Classification":
        read_labels_once(task)
    return task


def evaluate(spec: TaskSpec, encoder: Any, task: Any = None, predictions: Path | None = None) -> Evaluation:
    """Run mteb on the spec's split and subset.

    Args:
        encoder: An object with mteb's EncoderProtocol.
        task: A task from `fresh_task` that has not been evaluated; made here where it is None.
        predictions: The folder to which mteb writes its predictions; None writes none.

    Raises:
        ValueError: the main score is not a finite number.
    """
    import mteb

    with undisturbed_randomness(), _quiet():
        task = task or fresh_task(spec)
        started = time.monotonic()
        results = mteb.evaluate(
            encoder,
            task,
            cache=None,  # its files do not distinguish layers, and two writers would damage them
            co2_tracker=False,
            encode_kwargs={"batch_size": BATCH, "show_progress_bar": False},
            prediction_folder=predictions,
            show_progress_bar=False,
        )
        seconds = time.monotonic() - started
    result = _as_written(results.task_results[0])
    value = result["scores"][spec.split][0]["main_score"]
    if value is None or not math.isfinite(value):
        raise ValueError(f"{spec.name}: its {spec.main_score} is not a number for these vectors")
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
    if subset not in known:
        raise ValueError(must_be_one_of("subset", subset, known))
    return subset


@lru_cache(maxsize=64)
def _loaded(name: str, split: str, subset: str, skip_nulls: bool) -> Any:
    """The task with its data, not evaluated yet. It is loaded once, since loading may change its random state."""
    with undisturbed_randomness(), _quiet():
        task = get_task(name).filter_eval_splits([split])
        task.hf_subsets = [subset]
        task.check_if_dataset_is_superseded()
        try:
            task.load_data()
        except (KeyError, ValueError) as error:
            if split in task.metadata.eval_splits:
                raise
            known = must_be_one_of(f"split: {name}", split, sorted(task.metadata.eval_splits))
            raise ValueError(f"{known} ({error})") from error
        if hasattr(task, "convert_v1_dataset_format_to_v2"):  # older retrieval tasks store their data differently
            task.convert_v1_dataset_format_to_v2(num_proc=None)
    data = split_data(task, subset)
    if split not in data:
        raise ValueError(must_be_one_of(f"split: {name}", split, sorted(data)))
    if skip_nulls:
        leave_out_nulls(task, data, split)
    check_rows(task, data, split)
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
