"""Items that belong together: other data would have others of them, or none.

Pairs were often collected around a text, and questions around a document. Such items are alike, so a score varies more
with other groups than single items tell (`docs/intervals.md` has it measured). Items of a group have one name, and so
one weight in every replicate (the cluster bootstrap; Davison and Hinkley, 1997, section 3.8).
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

# Groups of equal size, to which others are converted by Kish's effective number (Survey Sampling, 1965): where one has
# most of the items, its weight cancels out. Fewer tell nothing about others, and items are taken one by one.
LEAST = 10


def named_together(names: Sequence[str], keys: Sequence[Hashable]) -> tuple[str, ...]:
    """The names of items, where those with an equal key have the name of one of them.

    Args:
        names: What each item is.
        keys: What makes items a group.
    """
    if len(keys) ** 2 < LEAST * sum(size**2 for size in Counter(keys).values()):
        return tuple(names)
    first: dict[Hashable, str] = {}
    for name, key in zip(names, keys, strict=True):
        first[key] = min(name, first.get(key, name))
    return tuple(first[key] for key in keys)


def of_pairs(names: Sequence[str], columns: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The names of pairs; those with a common text belong together, in the column that has fewer different texts.

    Args:
        columns: The texts of each column.
    """
    return named_together(names, min(columns, key=lambda texts: len(set(texts))))


def of_queries(names: Sequence[str], relevant: Sequence[Mapping[str, int]]) -> tuple[str, ...]:
    """The names of queries; those with the same relevant documents belong together.

    Args:
        relevant: By query: document → grade.
    """
    known = (frozenset(one for one, grade in found.items() if grade > 0) for found in relevant)
    return named_together(names, [found or name for name, found in zip(names, known, strict=True)])
