"""Noisy views of a text: copies with typing errors in some words, which a reader still takes for the same text.

The slips are two letters exchanged, a letter left out, doubled or replaced by its neighbour on the keyboard, and a word
split in two, after the augmentations of Layer by Layer (Skean et al., 2025, arXiv:2502.02013).
"""

import random
import re
from collections.abc import Callable, Sequence

from tl_search.store.keys import text_digest

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {
    key: row[max(at - 1, 0) : at] + row[at + 1 : at + 2] for row in _ROWS for at, key in enumerate(row)
}  # fmt: skip

# Characters. A word of more than `_LONG`, as in scripts without spaces, is taken for words of `_PART` each.
_LONG, _PART = 20, 5


def noisy_views(texts: Sequence[str], views: int, share: float, seed: int) -> list[list[str]]:
    """The views of each text, which depend on the text, the view's number and the seed, and not on other texts.

    Args:
        share: Of a text's words that get a slip, in (0, 1].
    """
    return [
        [_noisy(text, share, random.Random(f"{seed}/{view}/{text_digest(text)}")) for view in range(views)]
        for text in texts
    ]


def _noisy(text: str, share: float, rng: random.Random) -> str:
    """The text with a slip in a share of its words, but in at least one; white space stays as it is."""
    pieces = [part for piece in re.split(r"(\s+)", text) for part in _parts(piece)]
    words = [place for place, piece in enumerate(pieces) if len(piece) > 1 and not piece.isspace()]
    for place in [place for place in words if rng.random() < share] or ([rng.choice(words)] if words else []):
        pieces[place] = _slip(pieces[place], rng)
    return "".join(pieces)


def _parts(piece: str) -> list[str]:
    if len(piece) <= _LONG or piece.isspace():
        return [piece]
    return [piece[start : start + _PART] for start in range(0, len(piece), _PART)]


def _slip(word: str, rng: random.Random) -> str:
    """The word with one slip that changes it: exchanging equal letters, for instance, would not."""
    slipped = word
    while slipped == word:
        slipped = rng.choice(_SLIPS)(word, rng.randrange(len(word) - 1), rng)
    return slipped


def _miss(word: str, at: int, rng: random.Random) -> str:
    key = word[at]
    hit = rng.choice(_BESIDE.get(key.lower(), key))
    return word[:at] + (hit.upper() if key.isupper() else hit) + word[at + 1 :]


_SLIPS: tuple[Callable[[str, int, random.Random], str], ...] = (
    lambda word, at, _: word[:at] + word[at + 1] + word[at] + word[at + 2 :],  # exchanged
    lambda word, at, _: word[:at] + word[at + 1 :],  # left out
    lambda word, at, _: word[: at + 1] + word[at:],  # doubled
    _miss,
    lambda word, at, _: f"{word[: at + 1]} {word[at + 1 :]}",  # split
)
