"""The list of classes of other packages that a config may name, and a check of their arguments.

A config node that names a class makes Python run the module of that class. So the whole config is checked against the
list before anything is imported.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tl_search.cli.config.convert import convert, members
from tl_search.cli.config.signature import ancestry, signature
from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import suggest
from tl_search.plugins import OURS, allowed

ALLOWED = {
    "trainer": ("lightning.pytorch.Trainer", "lightning.pytorch.strategies.", "lightning.pytorch.profilers."),
    "logger": ("lightning.pytorch.loggers.",),
    "callbacks": ("lightning.pytorch.callbacks.",),
    "optimizer": ("torch.optim.",),
}
# What a class must be derived from there: their modules also define and import others.
KINDS = (
    "lightning.pytorch.strategies.strategy.Strategy",
    "lightning.pytorch.profilers.profiler.Profiler",
    "lightning.pytorch.loggers.logger.Logger",
    "lightning.pytorch.callbacks.callback.Callback",
    "torch.optim.optimizer.Optimizer",
)

# Arguments for which a run allows fewer words than the library; these are listed by the room that knows them.
FEWER_WORDS: dict[tuple[str, str], Any] = {("lightning.pytorch.Trainer", "precision"): str | int | None}


def check_targets(tree: Mapping[str, Any]) -> None:
    """Refuse every class that may not be named where it is; imports nothing. The loader has checked `hydra`."""
    for path, key, value in walk({name: node for name, node in tree.items() if name != "hydra"}):
        room = path.partition(".")[0]
        where = f"{path}.{key}" if path else key
        if key == "_target_":
            starts = (OURS, *(f"{package}." for package in allowed()), *ALLOWED.get(room, ()))
            if not isinstance(value, str) or not value.startswith(starts):
                listed = ", ".join(start + "*" for start in starts)
                raise BadInput(f"{where}: {value} is not allowed here (allowed: {listed}){_permission(value)}")


def _permission(target: Any) -> str:
    """How to allow a class that may be of the person's own package; nothing for those of libraries."""
    package = str(target).partition(".")[0]
    foreign = {start.partition(".")[0] for starts in ALLOWED.values() for start in starts}
    if not package.isidentifier() or package in {*sys.stdlib_module_names, *foreign, "tl_search"}:
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
    """Refuse a class that is not there or another library's, and arguments that it does not know. Imports nothing.

    Values are compared with the constructor's annotations, since libraries often find a wrong type only when they use
    it. Of the Trainer's arguments null is not looked at: for most of them a run has a meaning of its own.
    """
    starts = ALLOWED.get(path.partition(".")[0], ())
    try:
        known, classes = signature(target), ancestry(target)
    except LookupError as error:
        raise BadInput(f"{path}._target_: {error.args[0]}") from error
    kinds = [kind.rpartition(".")[2] for kind in KINDS if kind.startswith(starts)]
    if target not in starts and not (classes and classes[0].startswith(starts) and {*classes} & {*KINDS}):
        raise BadInput(f"{path}._target_: {target} is not allowed here: it must be a {' or '.join(kinds)}")
    for key, value in arguments.items():
        if str(key).startswith("_") or not (key in known.types or known.more):
            raise BadInput(f"{path}.{key}: unknown key{suggest(str(key), known.types)}")
        if value is not None or path != "trainer":
            kind = FEWER_WORDS.get((target, str(key))) or known.types.get(key, Any)
            convert(value, kind, f"{path}.{key}")


def whole_numbers(node: Mapping[Any, Any]) -> dict[Any, Any]:
    """A library's node with `1e3`, which YAML reads as 1000.0, as 1000 where its class wants an integer."""
    try:
        known = signature(str(node.get("_target_", ""))).types
    except LookupError:
        return dict(node)
    wanted = {name for name, kind in known.items() if int in members(kind) and float not in members(kind)}
    return {
        key: int(value) if key in wanted and isinstance(value, float) and value.is_integer() else value
        for key, value in node.items()
    }
