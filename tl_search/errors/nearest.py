"""Suggests the name that a person probably meant when they gave one that does not exist."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

MANY = 16  # options; a longer list is left out of a message where one of them is similar


def nearest_names(word: object, options: Iterable[object], most: int, sizes: bool = False) -> list[str]:
    """The options that are similar to the word, the most similar first; upper and lower case are the same.

    An option with other numbers is another thing and no misspelling, as step40 is for step41; but not with `sizes`,
    where a number is a part of the name, as in pythia-410m.
    """
    numbers = _numbers(str(word))
    alike = (name for name in map(str, options)
             if sizes or _numbers(name) == numbers or not (numbers and _numbers(name)))  # fmt: skip
    names = {name.lower(): name for name in alike}
    return [names[match] for match in get_close_matches(str(word).lower(), names, most)]


def _numbers(name: str) -> list[str]:
    return re.findall(r"\d+", re.sub(r"-[0-9a-f]{7,}$", "", name))  # without the digest at the end of a run's name


def nearest_name(word: object, options: Iterable[object]) -> str | None:
    """The option that is most similar to the word; None where none is similar."""
    return next(iter(nearest_names(word, options, 1)), None)


def did_you_mean(word: object, options: Iterable[object]) -> str:
    """The end of an error message, such as `; did you mean log?`; empty where no option is similar to the word."""
    near = nearest_name(word, options)
    return f"; did you mean {near}?" if near else ""


def no_folder(folder: Path, hint: str = "") -> str:
    """An error message such as `there is no folder runs/train/a; did you mean runs/train/a-5158bf63?`.

    Args:
        folder: The missing folder.
        hint: The end of the message where no folder beside it has a similar name.
    """
    beside = sorted(entry.name for entry in folder.parent.iterdir() if entry.is_dir()) if folder.parent.is_dir() else []
    # the name of a run's folder ends in a digest, which people leave out
    longer = [name for name in beside if name.startswith(f"{folder.name}-")]
    meant = longer[0] if longer else nearest_name(folder.name, beside)
    told = f"did you mean {folder.parent / meant}?" if meant else hint
    return f"there is no folder {folder}" + (f"; {told}" if told else "")


def suggest(word: object, options: Iterable[object]) -> str:
    """The end of an error message, such as `; did you mean log? (options: linear, log)`.

    A long list of options is left out where one of them is similar to the word.
    """
    names = sorted({str(option) for option in options})
    hint = did_you_mean(word, names)
    return hint + (f" (options: {', '.join(names)})" if names and not (hint and len(names) > MANY) else "")
