"""The items of the embedded tasks: texts and labels, made from one part of the standard library.

Each public function takes a part and the largest number of items, and returns columns under the names that mteb's tasks
use. Labels are balanced as far as the library allows.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from tl_search.scoring.stdlib import functions as source

LENGTH = 256  # the most characters of code in a text
SHORT = 128  # the same for items of two texts, and for clustering
PASSAGE = 128  # the most characters of a passage; short, so that a few exchanges are a large share of it
SUMMARY = 128  # the most characters of a query made from a docstring
SWAPS = 6  # exchanged pairs in a passage

STATEMENTS = ("if", "return", "raise", "for", "def", "class")
VERBS = {
    "get": ("get", "read", "find", "load", "fetch", "open", "next"),
    "set": ("set", "add", "write", "put", "dump", "send", "update", "append", "insert"),
    "is": ("is", "has", "check", "eq", "contains", "assert", "exists", "test"),
    "show": ("repr", "str", "format", "print", "pprint"),
    "make": ("init", "new", "create", "make", "copy"),
    "parse": ("parse", "split", "decode", "feed", "handle"),
}


def typos(part: str, count: int) -> dict[str, list[Any]]:
    """Passages, every second one with letters exchanged."""
    return _order_probe(part, count, lambda text: source.swap_letters(text, SWAPS, PASSAGE))


def token_order(part: str, count: int) -> dict[str, list[Any]]:
    """Passages, every second one with tokens exchanged."""
    return _order_probe(part, count, lambda text: source.swap_tokens(text, SWAPS))


def line_order(part: str, count: int) -> dict[str, list[Any]]:
    """Long passages, every second one with its inner lines shuffled."""
    return _order_probe(part, count, source.shuffle_lines, LENGTH)


def _order_probe(part: str, count: int, disturb: Callable[[str], str], length: int = PASSAGE) -> dict[str, list[Any]]:
    """Each passage appears only once, changed or not, so that no item gives away the answer to another.

    `item` is the passage as it was: the probes of the order ask different things of the same passages.
    """
    texts = [text for text in source.in_hash_order(source.passages(part, length)) if disturb(text) != text][:count]
    return {
        "text": [disturb(text) if number % 2 else text for number, text in enumerate(texts)],
        "label": [number % 2 for number in range(len(texts))],
        "item": texts,
    }


def statements(part: str, count: int) -> dict[str, list[Any]]:
    """Lines without their first word, a keyword, which is the label."""
    words = (line.partition(" ") for line in source.in_hash_order(source.lines(part)))
    found = ((keyword, rest.strip()[:LENGTH]) for keyword, _, rest in words if len(rest) >= 8)
    return _balanced(found, STATEMENTS, count)


def indents(part: str, count: int) -> dict[str, list[Any]]:
    """The first lines of functions; the label says how the next line is indented compared with the last one shown.

    What ends the last line is cut off up to a word, since a colon there would be the whole answer.
    """
    found: list[tuple[str, str]] = []
    for function in _shuffled(part):
        rows = [row for row in function.code.split("\n") if row.strip()]
        ends = [end for end in range(2, len(rows)) if 32 <= len("\n".join(rows[:end])) <= PASSAGE]
        if not ends:
            continue
        end = random.Random(function.code).choice(ends)
        shown = "\n".join(rows[:end])
        if not source.familiar(shown, part):
            step = _indent(rows[end]) - _indent(rows[end - 1])
            found.append(("deeper" if step > 0 else "less" if step < 0 else "same", re.sub(r"\W+$", "", shown)))
    return _balanced(found, ("same", "deeper", "less"), count)


def verbs(part: str, count: int) -> dict[str, list[Any]]:
    """Functions without their names; the label is the group of verbs with which the name began."""
    group = {verb: name for name, members in VERBS.items() for verb in members}
    began = ((function, function.name.strip("_").split("_")[0].lower()) for function in _shuffled(part))
    found = ((group.get(verb, ""), _cut(function.nameless, LENGTH)) for function, verb in began)
    return _balanced(found, tuple(VERBS), count)


def packages(part: str, count: int) -> dict[str, list[Any]]:
    """Functions of the ten packages that have most of them; the label is the package."""
    chosen = [function for function in _shuffled(part) if len(function.code) >= 128]
    sizes = Counter(function.package for function in chosen)
    richest = sorted(sizes, key=lambda package: (-sizes[package], package))[:10]
    columns = _balanced(((one.package, _cut(one.code, SHORT)) for one in chosen), tuple(richest), count)
    return {"sentences": columns["text"], "labels": columns["label"]}


def halves(part: str, count: int) -> dict[str, list[Any]]:
    """Pairs of a first and a second half; half of the pairs are from one function, half from two of the same module."""
    found: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for function in _shuffled(part):
        rows = function.code.split("\n")
        middle = len(rows) // 2
        first, second = "\n".join(rows[:middle]).strip(), "\n".join(rows[middle:]).strip()
        ends = _cut(first, SHORT), _cut(second, SHORT)
        if min(map(len, ends)) >= 48 and not any(source.familiar(end, part) for end in ends):
            found[function.module].append(ends)
    pairs = []
    for module in sorted(found):
        firsts, seconds = zip(*found[module], strict=True)
        size = len(firsts) // 4 * 4
        for n in range(size):  # of every four functions two keep their halves and two exchange the second ones
            other = n if n % 4 < 2 else n - 1 if n % 4 == 3 else n + 1
            pairs.append((firsts[n], seconds[other], int(other == n)))
    by_label = {
        label: sorted((pair for pair in pairs if pair[2] == label), key=lambda pair: source.digest(pair[0]))
        for label in (0, 1)
    }
    chosen = [pair for both in zip(by_label[0], by_label[1], strict=True) for pair in both][:count]
    return {
        "sentence1": [a for a, _, _ in chosen],
        "sentence2": [b for _, b, _ in chosen],
        "labels": [label for _, _, label in chosen],
    }


def docstrings(part: str, count: int) -> tuple[list[str], list[str]]:
    """(Summaries, codes): equally many, and at the same position both are of the same function."""
    pairs: dict[str, str] = {}
    for function in _shuffled(part):
        summary = _cut(function.summary, SUMMARY)
        if len(summary) >= 24 and summary.isascii() and not source.told_elsewhere(summary, part):
            pairs.setdefault(summary, _cut(function.code, LENGTH))
    chosen = list(pairs.items())[:count]
    return [summary for summary, _ in chosen], [code for _, code in chosen]


def _balanced(found: Iterable[tuple[str, str]], names: tuple[str, ...], count: int) -> dict[str, list[Any]]:
    """At most `count` different texts of `found` (label, text), equally many for each name where there are enough."""
    by_name: dict[str, dict[str, None]] = {name: {} for name in names}
    for name, text in found:
        if name in by_name:
            by_name[name].setdefault(text)
    texts: dict[str, int] = {}
    for label, own in enumerate(by_name.values()):
        for text in islice(own, count // len(names)):
            texts.setdefault(text, label)
    ordered = source.in_hash_order(texts)
    return {"text": ordered, "label": [texts[text] for text in ordered]}


def _shuffled(part: str) -> list[source.Function]:
    """The part's functions ordered by the hash of their code, without those whose beginning is familiar."""
    shown = (function for function in source.functions(part) if not source.familiar(_cut(function.code, SHORT), part))
    return sorted(shown, key=lambda function: source.digest(function.code))


def _cut(text: str, length: int) -> str:
    return text[:length].strip()


def _indent(row: str) -> int:
    return len(row) - len(row.lstrip())
