"""What was probably meant by a name that there is not."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


def nearest_name(word: object, options: Iterable[object]) -> str | None:
    """The option most like the word; None where none is like it."""
    return next(iter(get_close_matches(str(word), [str(option) for option in options], 1)), None)


def did_you_mean(word: object, options: Iterable[object]) -> str:
    """`; did you mean log?`, to end an error's line with; nothing where no option is like the word."""
    near = nearest_name(word, options)
    return f"; did you mean {near}?" if near else ""


def no_folder(folder: Path, hint: str = "") -> str:
    """`there is no folder runs/train/a; did you mean runs/train/a-5158bf63?`, where something like it lies beside it.

    Args:
        folder: That is not there.
        hint: What to say instead where nothing does.
    """
    beside = sorted(entry.name for entry in folder.parent.iterdir() if entry.is_dir()) if folder.parent.is_dir() else []
    # runs' names end in a digest, which a person who named one leaves out
    longer = [name for name in beside if name.startswith(f"{folder.name}-")]
    meant = longer[0] if longer else nearest_name(folder.name, beside)
    told = f"did you mean {folder.parent / meant}?" if meant else hint
    return f"there is no folder {folder}" + (f"; {told}" if told else "")
