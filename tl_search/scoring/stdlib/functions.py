"""Functions, passages and lines of the standard library, from which the embedded tasks are made.

Everything here depends on the library's text alone. Code is left out if at least half of its lines also appear in
another part (copied code, boilerplate), so that knowing one part does not help to answer a task made from another.
"""

import ast
import hashlib
import random
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from tl_search.text.stdlib import PARTS, Module, modules

_LONG_LINE = 16  # characters; shorter lines (`return None`, `else:`) appear everywhere
_TOKEN = re.compile(r"[A-Za-z_]\w*|\d+|[^\w\s]")


@dataclass(frozen=True)
class Function:
    """One function or method.

    Args:
        module: The dotted name of its module.
        name: The function's name.
        summary: The first paragraph of its docstring on one line; empty where it has no docstring.
        code: Its dedented source with the signature and without the docstring.
    """

    module: str
    name: str
    summary: str
    code: str

    @property
    def package(self) -> str:
        """The first part of the module's name."""
        return self.module.partition(".")[0]

    @property
    def nameless(self) -> str:
        """The code with every mention of the function's name replaced by `_`."""
        return re.sub(rf"\b{re.escape(self.name)}\b", "_", self.code)


def in_hash_order(texts: Iterable[str]) -> list[str]:
    """The texts ordered by their hashes: a shuffled order that is the same on every machine."""
    return sorted(texts, key=digest)


def digest(text: str) -> str:
    """The sha256 of a text as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def functions(part: str) -> tuple[Function, ...]:
    """The functions of a part that have at least 64 characters of ASCII code and are not familiar; each code once."""
    seen: dict[str, Function] = {}
    for module in modules(part):
        for function in _functions_of(module):
            if len(function.code) >= 64 and function.code.isascii() and not familiar(function.code, part):
                seen.setdefault(function.code, function)
    return tuple(seen.values())


@cache
def passages(part: str, length: int) -> tuple[str, ...]:
    """Sequences of whole lines that do not overlap, from 4/5 of `length` to `length` characters long."""
    found: dict[str, None] = {}
    for module in modules(part):
        for passage in _passages_of(module.read(), length):
            if not familiar(passage, part):
                found.setdefault(passage)
    return tuple(found)


@cache
def lines(part: str) -> tuple[str, ...]:
    """The part's long lines, without indentation, that appear in no other part."""
    own, others = _lines_of(part), _lines_elsewhere(part)
    return tuple(line for line in own if line.isascii() and line not in others)


def familiar(text: str, part: str) -> bool:
    """Whether at least half of a text's long lines appear in a module of another part."""
    long = [line for line in map(str.strip, text.splitlines()) if len(line) >= _LONG_LINE]
    if not long:
        return True  # without long lines it cannot be told apart from other texts
    known = _lines_elsewhere(part)
    return 2 * sum(line in known for line in long) >= len(long)


def told_elsewhere(sentence: str, part: str) -> bool:
    """Whether a sentence appears in a module of another part, with any line breaks."""
    return any(sentence in _words_of(other) for other in PARTS if other != part)


def swap_letters(text: str, swaps: int, within: int) -> str:
    """The text with up to `swaps` pairs of different neighbouring letters exchanged, none of which overlap.

    Only the first `within` characters are changed.
    """
    places = [
        i
        for i in range(min(within, len(text)) - 1)
        if text[i].isalpha() and text[i + 1].isalpha() and text[i] != text[i + 1]
    ]
    letters = list(text)
    for i in _apart(places, swaps, text):
        letters[i], letters[i + 1] = letters[i + 1], letters[i]
    return "".join(letters)


def swap_tokens(text: str, swaps: int) -> str:
    """The text with up to `swaps` pairs of different neighbouring tokens of a line exchanged, none of which overlap.

    The first token and the last one stay, since code begins and ends with few of them.
    """
    tokens = list(_TOKEN.finditer(text))
    places = [
        i
        for i in range(1, len(tokens) - 2)
        if tokens[i].group() != tokens[i + 1].group() and "\n" not in text[tokens[i].end() : tokens[i + 1].start()]
    ]
    words = [token.group() for token in tokens]
    for i in _apart(places, swaps, text):
        words[i], words[i + 1] = words[i + 1], words[i]
    ends = [0, *(token.end() for token in tokens)]
    between = [text[end : token.start()] for end, token in zip(ends, tokens, strict=False)]
    return "".join(gap + word for gap, word in zip(between, words, strict=True)) + text[ends[-1] :]


def shuffle_lines(text: str) -> str:
    """The text with the lines between its first and its last one in another order; unchanged where these are equal.

    The outer lines stay: no passage begins with white space, and few end as lines within them do.
    """
    first, *rows, last = text.split("\n") if "\n" in text else (text, "")
    order = random.Random(text)
    while len(set(rows)) > 1:
        mixed = order.sample(rows, len(rows))
        if mixed != rows:
            return "\n".join([first, *mixed, last])
    return text


def _apart(places: list[int], count: int, seed: str) -> list[int]:
    """Up to `count` of the places, chosen at random, no two of which are neighbours."""
    chosen: list[int] = []
    for place in random.Random(seed).sample(places, len(places)):
        if all(abs(place - other) > 1 for other in chosen):
            chosen.append(place)
        if len(chosen) == count:
            break
    return chosen


def _lines(node: ast.stmt) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _functions_of(module: Module) -> Iterator[Function]:
    source = module.read()
    rows = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        kept = _lines(node)
        first = node.body[0]
        if ast.get_docstring(node, clean=False) is not None:
            if first.lineno == node.lineno or len(node.body) == 1:
                continue  # the function is on one line, or has nothing but a docstring
            kept -= _lines(first)
        summary = (ast.get_docstring(node) or "").split("\n\n")[0]
        code = textwrap.dedent("\n".join(rows[number - 1] for number in sorted(kept))).strip()
        yield Function(module.name, node.name, " ".join(summary.split()), code)


def _passages_of(source: str, length: int) -> Iterator[str]:
    held: list[str] = []
    for row in [*source.split("\n"), ""]:
        text = textwrap.dedent("\n".join(held)).strip("\n")
        if len("\n".join([*held, row])) > length or not row.strip():
            if len(text) >= length * 4 // 5 and text.isascii() and text == text.strip():
                yield text
            held = []
        if row.strip():
            held.append(row)


@cache
def _lines_of(part: str) -> dict[str, None]:
    """The part's long lines in the order in which they appear, each once."""
    found: dict[str, None] = {}
    for module in modules(part):
        for line in map(str.strip, module.read().splitlines()):
            if len(line) >= _LONG_LINE:
                found.setdefault(line)
    return found


@cache
def _words_of(part: str) -> str:
    return " ".join(word for module in modules(part) for word in module.read().split())


@cache
def _lines_elsewhere(part: str) -> frozenset[str]:
    return frozenset(line for other in PARTS if other != part for line in _lines_of(other))
