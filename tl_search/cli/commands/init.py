"""`tl init DIR`: our example experiments and launchers, as files of your own to change."""

import shutil
from pathlib import Path

from tl_search.cli.config.searchpath import OWN_GROUPS, PACKAGE
from tl_search.cli.errors import DONE, BadInput
from tl_search.store.atomic import write_dir


def init(words: list[str]) -> int:
    """Copy the examples into a folder; what is there already is never touched."""
    if {"-h", "--help"} & set(words):
        print(
            "copy the example experiments and launchers into a folder\n\nusage: tl init DIR\n\n"
            "There, `tl train experiments=…` and `launchers=…` find them, and whatever you add beside them."
        )
        return DONE
    if len(words) != 1 or words[0].startswith("-"):
        raise BadInput("usage: tl init DIR")
    target = Path(words[0])
    if target.exists() and not target.is_dir():
        raise BadInput(f"{target}: is a file; tl init needs a folder")
    taken = [str(target / name) for name in OWN_GROUPS if (target / name).exists()]
    if taken:
        raise BadInput(f"{' and '.join(taken)}: exists already; nothing was changed")
    examples = PACKAGE / "examples" if (PACKAGE / "examples").is_dir() else PACKAGE.parent  # a checkout has them beside
    for name in OWN_GROUPS:
        with write_dir(target / name) as aside:
            shutil.copytree(examples / name, aside, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    print(f"{target}: experiments and launchers are yours to change; commands find them when run from there")
    return DONE
