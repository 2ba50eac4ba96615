"""Digests of values and texts, and safe file names."""

import hashlib
import json
import re
import unicodedata
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
