"""Reads JSON and YAML that somebody else may have written: what is too large, too deep or no number is refused.

Everything raises a ValueError of one line; nothing takes more than a few seconds or about half a gigabyte.
"""

import json
import math
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LIMIT = 16 << 20  # bytes of a JSON file
LARGE = 64 << 20  # of one that grows with a run
YAML_LIMIT = 1 << 20
_PER_VALUE = 16  # bytes of the limit for each value: an empty object takes 3 bytes in a file, and 200 in memory
_DEPTH = 64  # of objects and lists in each other
_DIGITS = 40  # of an integer; the largest that is in use, tokenizers' `model_max_length`, has 31
_NODES = 50_000  # of a YAML file, with those that aliases repeat
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONG_NUMBER = re.compile(r"[-+0-9_:.]{100,}")  # one in base 60 takes a time that grows with its length squared


def read_bytes(path: Path, limit: int = LIMIT) -> bytes:
    """The content of a file. Raises ValueError if it is no plain file, or has more than `limit` bytes."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe without a writer would be waited for
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError(f"a {'folder' if stat.S_ISDIR(facts.st_mode) else 'device'} where a file should be")
        if facts.st_size > limit:
            raise ValueError(f"it has {facts.st_size:,} bytes, and may have {limit:,}")
        with os.fdopen(os.dup(handle), "rb") as file:
            return file.read(facts.st_size)  # memory for a whole limit would be taken first
    finally:
        os.close(handle)


def read_json(path: Path, limit: int = LIMIT) -> Any:
    """The content of a file of at most `limit` bytes. Raises ValueError, which names the file, as `parse_json`."""
    try:
        return parse_json(read_bytes(path, limit), limit)
    except ValueError as error:
        raise ValueError(f"{path}: damaged, not JSON ({error})") from error


def parse_json(data: bytes, limit: int = LIMIT) -> Any:
    """The value that a text in UTF-8 describes.

    Raises:
        ValueError: it is no JSON, has more values than fit its limit in bytes, nests too deeply, has a key twice, or
            a number that is not finite.
    """
    most = limit // _PER_VALUE
    if sum(map(data.count, (b",", b"[", b"{"))) > most:
        raise ValueError(f"it has more than {most:,} values")
    try:
        text = data.decode()
        hooks: dict[str, Any] = {"parse_constant": _refuse, "parse_float": _finite, "parse_int": _integer}
        value = json.loads(text, object_pairs_hook=once, **hooks)
        if _SURROGATE.search(text):  # half of a pair is no character: it cannot be printed or written again
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError(f"it nests more than {_DEPTH} deep") from error
    level: list[Any] = [value]
    for _ in range(_DEPTH + 1):
        level = [child for item in level if isinstance(item, list | dict) for child in _children(item)]
        if not level:
            return value
    raise ValueError(f"it nests more than {_DEPTH} deep")


def _children(item: list[Any] | dict[str, Any]) -> Iterable[Any]:
    return item.values() if isinstance(item, dict) else item


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys stand in it once. Raises ValueError."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} stands there twice")
    return found


def _refuse(word: str) -> Any:
    raise ValueError(f"it holds {word}, which is no number")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"it holds {text[:20]}, which is too large a number")
    return value


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"it holds an integer of {len(text):,} digits")
    return int(text)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file: plain values. Raises ValueError, which names the file, as `yaml_text`."""
    import yaml

    text = yaml_text(path)
    try:
        return yaml.load(text, Loader=_loader())  # a safe one
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read as YAML ({_one_line(error)})") from error


def yaml_text(path: Path) -> str:
    """The text of a YAML file that is safe to be read by any YAML reader that makes no objects.

    Raises:
        ValueError: it is no YAML in UTF-8, has too many bytes or values, counting what aliases repeat, nests too
            deeply or in itself, or has a key twice; the message names the file.
    """
    import yaml

    try:
        text = read_bytes(path, YAML_LIMIT).decode()
        _Scan().of(yaml.parse(text, Loader=_loader()))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read as YAML ({_one_line(error)})") from error
    return text


def _loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


class _Scan:
    """Counts the values that the events of a YAML reader stand for, before any of them is made."""

    def __init__(self) -> None:
        self.nodes = 0
        self.twice = ""  # the first key that stands twice in its mapping
        self.sizes: dict[str, int | None] = {}  # of what an alias repeats; None while that is not complete
        self.open: list[tuple[str | None, int, set[str] | None, bool]] = []  # anchor, nodes before, keys, a key next?

    def of(self, events: Iterable[Any]) -> None:
        from yaml import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent, YAMLError
        from yaml.events import CollectionEndEvent

        for event in events:
            if isinstance(event, CollectionEndEvent):
                anchor, before, _, _ = self.open.pop()
                if anchor is not None:
                    self.sizes[anchor] = self.nodes - before
            elif isinstance(event, AliasEvent):
                size = self.sizes.get(event.anchor, 0)
                if size is None:
                    raise ValueError(f"the alias *{event.anchor} repeats what it is in")
                self._add(size, None)
            elif isinstance(event, ScalarEvent):
                if event.implicit[0] and _LONG_NUMBER.fullmatch(event.value):
                    raise ValueError(f"it holds a number of {len(event.value):,} digits")
                self._add(1, event.value)
                if event.anchor is not None:
                    self.sizes[event.anchor] = 1
            elif isinstance(event, MappingStartEvent | SequenceStartEvent):
                self._add(1, None)
                keys = set[str]() if isinstance(event, MappingStartEvent) else None
                self.open.append((event.anchor, self.nodes - 1, keys, True))
                if event.anchor is not None:
                    self.sizes[event.anchor] = None
                if len(self.open) > _DEPTH:
                    raise ValueError(f"it nests more than {_DEPTH} deep")
        if self.twice:  # last, so that a file with this fault has no other
            raise YAMLError(f"the key {self.twice[:40]!r} stands there twice")

    def _add(self, nodes: int, scalar: str | None) -> None:
        self.nodes += nodes
        if self.nodes > _NODES:
            raise ValueError(f"it has more than {_NODES:,} values, counting what its aliases repeat")
        if not self.open:
            return
        anchor, before, keys, is_key = self.open[-1]
        if keys is not None:
            if is_key and scalar is not None and scalar != "<<":
                if scalar in keys:
                    self.twice = self.twice or scalar
                keys.add(scalar)
            self.open[-1] = anchor, before, keys, not is_key
