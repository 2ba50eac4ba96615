"""How text that may come from strangers is shown: names must not steer a terminal or a page, nor tell a secret."""

import unicodedata

from tl_search.errors.secrets import redact

# Control characters, those without a form such as marks of direction, halves of surrogate pairs, ends of lines.
_STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")


def printable(text: object) -> str:
    r"""The text in one line: secrets are masked, control and direction characters escaped (`\n`, `\x1b`, `\u202e`)."""
    return escaped(redact(str(text)))


def printable_lines(text: str) -> str:
    """As `printable`, but ends of lines and tabs stay what they are: for a traceback, or a message of several lines."""
    return escaped(redact(text), but="\n\t")


def escaped(text: str, but: str = "") -> str:
    """The text with characters that steer a terminal as Python writes them, except those of `but`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        repr(character)[1:-1] if character not in but and unicodedata.category(character) in _STEERING else character
        for character in text
    )
