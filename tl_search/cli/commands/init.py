"""`tl init DIR`: copies the example experiments and launchers into a folder of the user."""

import shutil
from pathlib import Path

from tl_search.cli.config.searchpath import EXAMPLES, PACKAGE
from tl_search.errors.exit_codes import DONE
from tl_search.errors.kinds import BadInput
from tl_search.errors.printable import printable
from tl_search.store.atomic import write_dir


def init(words: list[str]) -> int:
    """Copy the examples into a folder; existing files are never changed."""
    if {"-h", "--help"} & set(words):
        print(
            "copy the example experiments and launchers into a folder\n\nusage: tl init DIR\n\n"
            "Commands that you run in DIR find these files, and those that you add: `experiments=…`, `launchers=…`."
        )
        return DONE
    if len(words) != 1 or words[0].startswith("-"):
        raise BadInput("usage: tl init DIR")
    target = Path(words[0])
    if target.exists() and not target.is_dir():
        raise BadInput(f"{target}: is a file; tl init needs a folder")
    taken = [str(target / name) for name in EXAMPLES if (target / name).exists()]
    if taken:
        raise BadInput(f"{' and '.join(taken)}: exists already; nothing was changed")
    examples = PACKAGE / "examples" if (PACKAGE / "examples").is_dir() else PACKAGE.parent  # a checkout has them beside
    for name in EXAMPLES:
        with write_dir(target / name) as aside:
            shutil.copytree(examples / name, aside, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    print(
        f"{printable(target)}: now holds experiments/ and launchers/, which you may change; commands that you run "
        "there find them"
    )
    return DONE
