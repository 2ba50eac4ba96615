"""`tags=[baseline,seed1]`: words of the person's own that a run carries; they decide nothing."""

from collections.abc import Mapping
from typing import Any

from omegaconf import ListConfig

from tl_search.cli.config.convert import convert
from tl_search.errors.kinds import BadInput

TAGS = "tags"
_LONGEST, _MOST = 40, 20


def tags_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The tags that a config gives. Raises BadInput for what is no short word."""
    given = config.get(TAGS)
    if given is None:
        return ()
    if not isinstance(given, list | tuple | ListConfig):
        raise BadInput(f"{TAGS}: must be a list of words, as in {TAGS}=[baseline,seed1], got {given!r}")
    words = convert([*given], tuple[str | int, ...], TAGS)  # YAML reads 2024 as a number
    tags: tuple[str, ...] = tuple(map(str, words))
    for number, tag in enumerate(tags):
        if not tag or len(tag) > _LONGEST or not tag.isprintable() or any(map(str.isspace, tag)) or "," in tag:
            raise BadInput(
                f"{TAGS}[{number}]: must be a word of 1 to {_LONGEST} printable characters, without spaces and commas, "
                f"got {tag[: 2 * _LONGEST]!r}"
            )
        if tag in tags[:number]:
            raise BadInput(f"{TAGS}[{number}]: must be given once, got {tag!r} again")
    if len(tags) > _MOST:
        raise BadInput(f"{TAGS}: must be at most {_MOST} words, got {len(tags)}")
    return tags
