"""A folder of a person's own tasks: each a folder of rows in the layout that mteb's data sets have.

    my_tasks/
      Tickets/                    the task's name
        task.yaml                 type: Classification
        train.jsonl test.jsonl    one file per split, .jsonl or .parquet
      Manuals/
        task.yaml                 type: Retrieval
        corpus.jsonl queries.jsonl qrels/test.jsonl

Columns are those of mteb: `text`, `label` (Classification); `sentences`, `labels` (Clustering); `sentence1`,
`sentence2`, `score` (STS) or `labels` (PairClassification); `id`, `text` and perhaps `title` (corpus and queries);
`query-id`, `corpus-id`, `score` (qrels); `query-id`, `corpus-ids` (top_ranked, which makes a Reranking).
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.errors.nearest import did_you_mean
from tl_search.scoring.folder.rows import ROWS
from tl_search.store.keys import digest
from tl_search.store.manifest import file_digest
from tl_search.store.outside import read_yaml

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask

TASK = "task.yaml"

# Type → the main score of mteb's tasks of this type.
TYPES: Mapping[str, str] = {
    "Classification": "accuracy",
    "Clustering": "v_measure",
    "PairClassification": "max_ap",
    "Reranking": "map_at_1000",
    "Retrieval": "ndcg_at_10",
    "STS": "cosine_spearman",
}
_KEYS = ("type", "main_score", "description", "min_score", "max_score")
_SEARCHED = ("Reranking", "Retrieval")


def folder_tasks(folder: Path) -> dict[str, Path]:
    """The names of a folder's tasks → their folders.

    Raises:
        ValueError: the folder is not there, or has no task in it.
    """
    found = {path.parent.name: path.parent for path in sorted(Path(folder).glob(f"*/{TASK}"))}
    if not found:
        what = "which holds none" if Path(folder).is_dir() else "which is no folder"
        raise ValueError(f"folder: must hold folders with a {TASK} and rows, got {str(folder)!r}, {what}")
    return found


def folder_task(folder: Path, name: str) -> "AbsTask":
    """A fresh task object of a folder. Its data are read when mteb loads them.

    Raises:
        ValueError: its `task.yaml` or the names of its files are not as they must be.
    """
    from tl_search.scoring.folder.classes import make

    place = folder_tasks(folder)[name]
    about = _about(place)
    return make(name, place, about, splits(place, about["type"]), _revision(place, about))


def splits(place: Path, kind: str) -> tuple[str, ...]:
    """The splits that have a file.

    Raises:
        ValueError: there is none, or only one to learn from.
    """
    where = place / "qrels" if kind in _SEARCHED else place
    found = tuple(sorted({path.stem for path in where.iterdir() if path.suffix in ROWS} if where.is_dir() else ()))
    if not found or (kind == "Classification" and (found == ("train",) or "train" not in found)):
        wanted = "train.jsonl and test.jsonl" if kind == "Classification" else "test.jsonl"
        inside = f"{where.name}/" if where != place else ""
        names = ", ".join(found) or "none"
        raise ValueError(f"folder: {place} must have files of rows such as {inside}{wanted}, got {names}")
    return found


def _about(place: Path) -> dict[str, Any]:
    path = place / TASK
    about = read_yaml(path)
    if not isinstance(about, dict) or about.get("type") not in TYPES:
        got = about.get("type") if isinstance(about, dict) else about
        near = did_you_mean(str(got), TYPES)
        raise ValueError(f"{path}: type: must be one of {', '.join(TYPES)}, got {got!r}{near}")
    strange = next((key for key in about if key not in _KEYS), None)
    if strange is not None:
        near = did_you_mean(str(strange), _KEYS)
        raise ValueError(f"{path}: must have no other settings than {', '.join(_KEYS)}, got {strange!r}{near}")
    for key in ("min_score", "max_score"):
        if not isinstance(about.get(key, 0.0), int | float):
            raise ValueError(f"{path}: {key}: must be a number, got {about[key]!r}")
    return {"main_score": TYPES[about["type"]], "description": place.name, **about}


def _revision(place: Path, about: Mapping[str, Any]) -> str:
    """A digest of all that the task's scores depend on: other rows make another task."""
    files = sorted(path for path in place.rglob("*") if path.suffix in ROWS and path.is_file())
    marks = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    named = {str(path.relative_to(place)): _digest(*mark) for path, mark in zip(files, marks, strict=True)}
    return digest({"about": dict(about), "files": named})


@lru_cache(maxsize=4096)
def _digest(path: str, _changed: int, _size: int) -> str:
    return file_digest(Path(path))
