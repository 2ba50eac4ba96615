"""Names for things on disk: content digests and safe file names."""

import hashlib
import json
import re
import unicodedata
from typing import Any

MAX_NAME = 96


def digest(value: Any, length: int = 16) -> str:
    """The first `length` hex digits of the sha256 of a plain value, whatever the order of its keys.

    Raises:
        TypeError: the value holds something that JSON cannot say; a `str()` of an object is no identity.
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def text_digest(text: str) -> str:
    """The key under which a text's vector is kept: 128 bits of its sha256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def safe_name(text: str) -> str:
    """A file name that shows `text`, cannot leave its folder, and differs wherever the text differs.

    A text that is already a plain name (letters, digits, `._-`, not starting with a dot or a dash) is kept; any
    other becomes a slug with a digest behind it, so that `a/b` and `a_b` never meet in one file, also where the
    file system ignores case.
    """
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]*", text) and len(text) <= MAX_NAME and ".." not in text:
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9._-]+", "_", plain).strip("._-").replace("..", "_")[: MAX_NAME - 10]
    return f"{slug or 'name'}-{digest(text, 8)}"
