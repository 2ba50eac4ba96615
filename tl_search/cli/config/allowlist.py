"""The list of classes of other packages that a config may name, and a check of their arguments.

A config node that names a class makes Python run the module of that class. So the whole config is checked against the
list before anything is imported.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tl_search.cli.config.convert import convert
from tl_search.cli.config.signature import hint, parameters
from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import suggest
from tl_search.plugins import OURS, allowed

ALLOWED = {
    "trainer": ("lightning.pytorch.Trainer", "lightning.pytorch.strategies.", "lightning.pytorch.profilers."),
    "logger": ("lightning.pytorch.loggers.",),
    "callbacks": ("lightning.pytorch.callbacks.",),
    "optimizer": ("torch.optim.",),
    "hydra": ("hydra._internal.core_plugins.", "hydra_plugins.hydra_submitit_launcher."),
}
# The doors by which a logging config calls what it likes (logging.config: `()`, `class`, `ext://`).
LOGGERS = ("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler", "colorlog.ColoredFormatter")
LOG_FOLDER = "${hydra.runtime.output_dir}/"
STREAMS = ("ext://sys.stdout", "ext://sys.stderr")


def check_targets(tree: Mapping[str, Any]) -> None:
    """Refuse every class that may not be named where it is; imports nothing."""
    for path, key, value in walk(tree):
        room = path.partition(".")[0]
        where = f"{path}.{key}" if path else key
        if key == "_target_":
            packages = () if room == "hydra" else (OURS, *(f"{package}." for package in allowed()))
            starts = (*packages, *ALLOWED.get(room, ()))
            if not isinstance(value, str) or not value.startswith(starts):
                listed = ", ".join(start + "*" for start in starts)
                raise BadInput(f"{where}: {value} is not allowed here (allowed: {listed}){_permission(room, value)}")
        elif room == "hydra" and key in ("()", "class") and value not in LOGGERS:
            raise BadInput(f"{where}: {value} is not allowed here (allowed: {', '.join(LOGGERS)})")
        elif room == "hydra" and key == "filename" and not (str(value).startswith(LOG_FOLDER) and ".." not in value):
            raise BadInput(f"{where}: must be in the run directory ({LOG_FOLDER}…), got {value}")
        elif room == "hydra" and isinstance(value, str) and value.startswith("ext://") and value not in STREAMS:
            raise BadInput(f"{where}: {value} is not allowed here (allowed: {', '.join(STREAMS)})")


def _permission(room: str, target: Any) -> str:
    """How to allow a class that may be of the person's own package; nothing for those of libraries."""
    package = str(target).partition(".")[0]
    foreign = {start.partition(".")[0] for starts in ALLOWED.values() for start in starts}
    if room == "hydra" or not package.isidentifier() or package in {*sys.stdlib_module_names, *foreign, "tl_search"}:
        return ""
    return f"; if {package} is a package of yours, plugins=[{package}] allows its classes and runs its code"


def walk(tree: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """(path of the mapping, key, value) for every key of a tree of dicts and lists."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield path, str(key), value
            yield from walk(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list):
        for number, item in enumerate(tree):
            yield from walk(item, f"{path}[{number}]")


def check_arguments(target: str, arguments: Mapping[Any, Any], path: str) -> None:
    """Refuse a class that is not there, and arguments that its constructor does not know. Imports nothing.

    Values are compared with the constructor's annotations, since libraries often find a wrong type only when they use
    it. Of the Trainer's arguments null is not looked at: for most of them a run has a meaning of its own.
    """
    try:
        known = parameters(target)
    except LookupError as error:
        raise BadInput(f"{path}._target_: {error.args[0]}") from error
    for key, value in arguments.items():
        if known is None:
            continue
        if key not in known:
            raise BadInput(f"{path}.{key}: unknown key{suggest(key, known)}")
        if value is not None or path != "trainer":
            convert(value, hint(known[key]), f"{path}.{key}")


def whole_numbers(node: Mapping[Any, Any]) -> dict[Any, Any]:
    """A library's node with `1e3`, which YAML reads as 1000.0, as 1000 where its class wants an integer."""
    try:
        known = parameters(str(node.get("_target_", ""))) or {}
    except LookupError:
        return dict(node)
    wanted = {name for name, hint in known.items() if "int" in hint and "float" not in hint}
    return {
        key: int(value) if key in wanted and isinstance(value, float) and value.is_integer() else value
        for key, value in node.items()
    }
