"""Noisy views of a text: what two readers would still take for the same text, made of slips in its words.

The slips are those that typists make (letters exchanged, left out, doubled, hit beside the right key; words torn in
two), after the augmentations that Layer by Layer measures with (Skean et al., 2025, arXiv:2502.02013).
"""

import random
import re
from collections.abc import Callable, Sequence

from tl_search.store.keys import text_digest

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {
    key: row[max(at - 1, 0) : at] + row[at + 1 : at + 2] for row in _ROWS for at, key in enumerate(row)
}  # fmt: skip


_LONG, _PART = 20, 5  # characters: a longer word (a script without spaces, an address) is so many words end to end


def noisy_views(texts: Sequence[str], views: int, share: float, seed: int) -> list[list[str]]:
    """Each text's views: a function of the text, the view's number and the seed, whatever texts are beside it."""
    return [
        [_noisy(text, share, random.Random(f"{seed}/{view}/{text_digest(text)}")) for view in range(views)]
        for text in texts
    ]


def _noisy(text: str, share: float, rng: random.Random) -> str:
    """The text with a slip in a share of its words, and in one of them at least; white space stays as it is."""
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
    """One slip that can be seen: equal letters exchanged, or no other key hit, is none."""
    slipped = word
    while slipped == word:
        slipped = rng.choice(_SLIPS)(word, rng.randrange(len(word) - 1), rng)
    return slipped


def _exchange(word: str, at: int, rng: random.Random) -> str:
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _leave_out(word: str, at: int, rng: random.Random) -> str:
    return word[:at] + word[at + 1 :]


def _double(word: str, at: int, rng: random.Random) -> str:
    return word[: at + 1] + word[at:]


def _miss(word: str, at: int, rng: random.Random) -> str:
    key = word[at]
    hit = rng.choice(_BESIDE.get(key.lower(), key))
    return word[:at] + (hit.upper() if key.isupper() else hit) + word[at + 1 :]


def _tear(word: str, at: int, rng: random.Random) -> str:
    return f"{word[: at + 1]} {word[at + 1 :]}"


_SLIPS: tuple[Callable[[str, int, random.Random], str], ...] = (_exchange, _leave_out, _double, _miss, _tear)
