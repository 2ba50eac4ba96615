"""Searches and reranks documents by vectors that are known, for cells that are selected.

mteb prepares every document anew in each evaluation, keeps a thousand of them for each query, and computes each measure
at seven depths. Where only the main score counts, the documents are prepared once for all arms, and a query keeps as
many as its main score looks at. The measures are mteb's own, and so is the arithmetic of similarities. Those that rest
on all documents that mteb keeps are left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from mteb._create_dataloaders import _prepare_dataset
from mteb.abstasks import AbsTaskRetrieval
from mteb.types import PromptType

from tl_search.scoring.encoder import VectorEncoder
from tl_search.store.keys import text_digest

CHUNK = 50_000  # documents whose similarities are computed at once, as mteb does
MOST = 1001  # documents of one query that are kept although they are equally similar, as mteb does


def can_search(run: Any) -> bool:
    """Whether a task's main score looks at the first documents of each query only, and mteb computes it itself.

    Args:
        run: mteb's task.
    """
    return (
        isinstance(run, AbsTaskRetrieval)
        and not run.skip_first_result
        and type(run).task_specific_scores is AbsTaskRetrieval.task_specific_scores
        and run.metadata.main_score.rpartition("_")[2].isdecimal()
    )


def look_no_deeper(run: Any) -> None:
    """Change a task that `can_search` so that it measures only at the depth of its main score."""
    depth = int(run.metadata.main_score.rpartition("_")[2])
    run.k_values = tuple(sorted({1, depth}))  # mteb always asks for the first document
    run._top_k = depth + run.ignore_identical_ids  # a document that is the query itself is dropped later


def leave_out_deviations(result: dict[str, Any]) -> None:
    """Take out of a result what the deviation of similarities says of scores: here it is that of fewer documents."""
    for rows in result["scores"].values():
        for row in rows:
            for name in [name for name in row if name.startswith("nauc_") and name.endswith("_std")]:
                del row[name]


@dataclass(frozen=True)
class _Corpus:
    """The documents of a task, equal where their content is.

    Args:
        task: mteb's metadata of the task.
        table: The documents.
    """

    name: str
    fingerprint: str
    task: Any = field(compare=False)
    table: Any = field(compare=False)


@lru_cache(maxsize=8)  # 100,000 documents have 10 MB of digests
def _documents(corpus: _Corpus) -> dict[str, str]:
    return _keys(corpus.table, corpus.task, PromptType.document)


def _keys(table: Any, task: Any, kind: PromptType) -> dict[str, str]:
    """The name of every document or query → the digest of its text, as a model reads it."""
    texts = _prepare_dataset(table, task, prompt_type=kind)["text"][:]
    return dict(zip(table["id"][:], map(text_digest, texts), strict=True))


class VectorSearch(VectorEncoder):
    """An arm as what mteb searches with."""

    def index(self, corpus: Any, *, task_metadata: Any, **_: Any) -> None:
        """Take the documents (mteb's table), whose vectors are known."""
        self.documents = _documents(_Corpus(task_metadata.name, corpus._fingerprint, task_metadata, corpus))

    def search(
        self,
        queries: Any,
        *,
        task_metadata: Any,
        top_k: int,
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        **_: Any,
    ) -> dict[str, dict[str, float]]:
        """Query → document → similarity, for the `top_k` most similar documents, and all that are equally similar.

        Args:
            queries: mteb's table.
            top_ranked: Query → its candidates; None = all documents.

        Raises:
            ValueError: as `encode`.
        """
        asked = _keys(queries, task_metadata, PromptType.query)
        wanted = self.looked_up(list(asked.values()))
        if top_ranked is not None:
            return dict(self._reranked(asked, wanted, top_ranked, top_k))
        found: dict[str, dict[str, float]] = {name: {} for name in asked}
        names, keys = list(self.documents), list(self.documents.values())
        for start in range(0, len(names), CHUNK):
            part = names[start : start + CHUNK]
            similar = self.similarity(wanted, self.looked_up(keys[start : start + CHUNK]))
            values, places = _best(similar, top_k)
            for query, nearest, rows in zip(asked, values.tolist(), places.tolist(), strict=True):
                found[query].update(zip([part[row] for row in rows], nearest, strict=True))
        return found

    def _reranked(
        self, asked: Iterable[str], wanted: np.ndarray, candidates: Mapping[str, Sequence[str]], top_k: int
    ) -> Iterator[tuple[str, dict[str, float]]]:
        """Each query with its candidates and their similarities."""
        rows = {name: row for row, name in enumerate(self.documents)}
        vectors = self.looked_up(list(self.documents.values()))
        for query, vector in zip(asked, wanted, strict=True):
            ranked = candidates.get(query)
            if not ranked:
                yield query, {}
                continue
            several = len(ranked) - len(set(ranked))  # a candidate that is named again is still one document
            similar = self.similarity(vector[None], vectors[[rows[one] for one in ranked]])
            values, places = _best(similar, top_k + several)
            yield query, dict(zip([ranked[place] for place in places[0].tolist()], values[0].tolist(), strict=True))


def _best(similar: Any, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The largest similarities of each query (query, document), and their places.

    They are more than `count` where some are equal: mteb ranks these by the names of their documents, so all of them
    must be there.
    """
    similar = torch.as_tensor(similar)
    count = min(count, similar.shape[1])
    least = torch.topk(similar, count, dim=1).values[:, -1:]
    most = max(count, min(MOST, int((similar >= least).sum(dim=1).max())))
    return torch.topk(similar, most, dim=1)
