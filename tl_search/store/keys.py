"""Digests of values and texts, safe file names, and the check of names that files give."""

import hashlib
import json
import re
import reprlib
import unicodedata
from collections.abc import Iterable
from typing import Any

MAX_NAME = 96


def digest(value: Any, length: int = 16) -> str:
    """The first `length` hex digits of the sha256 of a value's JSON; the order of keys does not matter.

    Raises:
        TypeError: the value contains something that JSON does not have. It is not converted to text, since the text of
            an object may differ from process to process.
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def text_digest(text: str) -> str:
    """The first 32 hex digits of a text's sha256, under which its vector is stored."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def texts_digest(texts: Iterable[str]) -> str:
    """32 hex digits of a list of texts and its order."""
    return digest([text_digest(text) for text in texts], 32)


def safe_name(text: str) -> str:
    """A readable file name for `text`; different texts have different names, and none leads to another folder.

    A text that is a plain name already (lower-case letters, digits, `._-`, beginning with a letter or a digit) is kept.
    In any other text unsafe characters are replaced, and a digest is added. So `a/b` and `a_b` get different names, as
    do `A` and `a`, which some file systems do not distinguish.
    """
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]*", text) and len(text) <= MAX_NAME and ".." not in text:
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9._-]+", "_", plain).strip("._-").replace("..", "_")[: MAX_NAME - 10]
    return f"{slug or 'name'}-{digest(text, 8)}"


def check_name(name: Any, what: str = "name", folders: bool = False) -> str:
    """A name that a file gives, and that may become the name of a file or a folder: it may not lead elsewhere.

    Args:
        what: What it names, for the message.
        folders: Whether it may be that of something in a folder: `a/b`.

    Raises:
        ValueError: it is no text of 1 to 96 letters, digits and `._-`, or could leave its folder.
    """
    others = "._/-" if folders else "._-"
    if not isinstance(name, str) or not is_name(name, folders):
        raise ValueError(
            f"{what}: {reprlib.repr(name)} is no valid name (1 to {MAX_NAME} letters, digits and {others}, no '..')"
        )
    return name


def is_name(name: str, folders: bool = True) -> bool:
    """Whether `check_name` takes it."""
    others = "._/-" if folders else "._-"
    fits = re.fullmatch(rf"[A-Za-z0-9_][A-Za-z0-9{others}]{{0,{MAX_NAME - 1}}}", name)
    return fits is not None and ".." not in name and not name.endswith("/")
