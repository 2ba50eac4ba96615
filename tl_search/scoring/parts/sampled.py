"""What mteb draws in a clustering task: the documents that are embedded, and those of every clustering."""

import random
from collections.abc import Sequence
from typing import Any


def embedded_rows(task: Any, count: int, state: random.Random) -> list[int] | None:
    """The rows, of `count`, that mteb embeds; None where it embeds all of them and draws nothing.

    Args:
        state: A random state like the task's when mteb comes to these documents; it is used as mteb uses it.
    """
    limit = task.max_document_to_embed
    if task.max_fraction_of_documents_to_embed is not None:
        limit = int(task.max_fraction_of_documents_to_embed * count)
    return None if limit is None else state.sample(range(count), k=min(count, limit))


def pass_clusterings(task: Any, labels: Sequence[Any], state: random.Random) -> None:
    """Use the random state as the clusterings of documents with these labels do, before mteb's next subset."""
    depth = max((len(label) if isinstance(label, list) else 1 for label in labels), default=0)
    levels = depth if task.max_depth is None else min(task.max_depth, depth)
    for _ in range(levels * task.n_clusters):
        state.choices((0,), k=task.max_documents_per_cluster)
