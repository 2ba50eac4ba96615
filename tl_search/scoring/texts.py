"""The texts that an evaluation needs, found by running it once with an encoder that records them."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from tl_search.plane.pull import TaskSpec
from tl_search.plane.share import ALL
from tl_search.scoring.catalogue import task_names
from tl_search.scoring.evaluation import describe, evaluate, fresh_task, kind, split_data
from tl_search.scoring.rows import tell_blank
from tl_search.store.atomic import write_json
from tl_search.store.keys import digest
from tl_search.store.outside import read_json

_TEXTS = 4 << 30  # bytes of a file of texts, which only this machine writes


def task_texts(
    name: str,
    split: str,
    subset: str | None = None,
    folder: Path | None = None,
    skip_nulls: bool = False,
    items: str = ALL,
) -> tuple[str, ...]:
    """As `texts_of`, for a task that is described by its name, split, subset and share as `describe` does."""
    return texts_of(describe(name, split, subset, skip_nulls, items=items), folder)


def texts_of(task: TaskSpec, folder: Path | None = None) -> tuple[str, ...]:
    """The texts that mteb's evaluation of the task asks an encoder for, each once, in the order of the first request.

    They include the training texts that a classifier samples. A document's text begins with its title, as mteb joins
    the two.

    Blank texts are told in the log, with their first row.

    Args:
        folder: Where the list is stored for other processes; a damaged file is replaced. None stores nothing.
    """
    path = folder and folder / f"{digest(task.identity(), 32)}.json"
    texts = _read(path, task) if path else None
    if texts is None:
        texts = _asked(task)
        if path:
            write_json(path, {"task": task.identity(), "digest": digest(texts, 32), "texts": texts})
    if not all(text.strip() for text in texts):
        loaded = fresh_task(task)
        for subset in task.subsets:
            tell_blank(loaded, split_data(loaded, subset), task.scored_on)
    return tuple(texts)


def texts_here(
    name: str,
    split: str,
    subset: str | None,
    folder: Path,
    skip_nulls: bool = False,
    place: Path | None = None,
    items: str = ALL,
) -> tuple[TaskSpec, tuple[str, ...]] | None:
    """The task and its `task_texts`, if nothing must be downloaded for them.

    They are known of tasks that are embedded here, and of those whose list an earlier search stored in `folder`.
    Raises ValueError if there is no such task, split or subset.
    """
    if name in task_names():
        task = describe(name, split, subset, skip_nulls, place, items)
        return task, texts_of(task)
    if split not in kind(name, place)[1]:  # whether it has this one is known from its data alone
        return None
    task = replace(describe(name, split, subset, skip_nulls, place), items=items)  # a share is drawn from the data
    found = _read(folder / f"{digest(task.identity(), 32)}.json", task)
    return None if found is None else (task, tuple(found))


@lru_cache(maxsize=64)
def _asked(task: TaskSpec) -> list[str]:
    from tl_search.scoring.encoder import TextRecorder

    recorder = TextRecorder()
    evaluate(task, recorder)
    return list(recorder.texts)


def _read(path: Path, task: TaskSpec) -> list[str] | None:
    try:
        kept = read_json(path, _TEXTS)
        if kept["task"] == task.identity() and kept["digest"] == digest(kept["texts"], 32):
            return kept["texts"]
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        pass
    return None
