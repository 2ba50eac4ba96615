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


def noisy_views(texts: Sequence[str], views: int, share: float, seed: int) -> list[list[str]]:
    """Each text's views: a function of the text, the view's number and the seed, whatever texts are beside it."""
    return [
        [_noisy(text, share, random.Random(f"{seed}/{view}/{text_digest(text)}")) for view in range(views)]
        for text in texts
    ]


def _noisy(text: str, share: float, rng: random.Random) -> str:
    """The text with a slip in a share of its words; white space stays as it is."""
    pieces = re.split(r"(\s+)", text)
    return "".join(
        rng.choice(_SLIPS)(piece, rng.randrange(len(piece) - 1), rng)
        if len(piece) > 1 and not piece.isspace() and rng.random() < share
        else piece
        for piece in pieces
    )


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
