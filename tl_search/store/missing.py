"""What to say of a folder that is not there."""

from difflib import get_close_matches
from pathlib import Path


def no_folder(folder: Path, hint: str = "") -> str:
    """`there is no folder runs/train/a; did you mean runs/train/a-5158bf63?`, where something like it lies beside it.

    Args:
        folder: That is not there.
        hint: What to say instead where nothing does.
    """
    beside = sorted(entry.name for entry in folder.parent.iterdir() if entry.is_dir()) if folder.parent.is_dir() else []
    # runs' names end in a digest, which a person who named one leaves out
    near = [name for name in beside if name.startswith(f"{folder.name}-")] or get_close_matches(folder.name, beside, 1)
    told = f"did you mean {folder.parent / near[0]}?" if near else hint
    return f"there is no folder {folder}" + (f"; {told}" if told else "")
