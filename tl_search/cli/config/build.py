"""Builds the object that a config node describes.

A node names its class in `_target_`. The class is the schema: it declares the types of its fields, and checks their
values when it is constructed. Nested nodes are built first, so a class is given objects. Every rule is in the class
alone, so a notebook that constructs the class shows the same message as the command line.
"""

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tl_search import plugins
from tl_search.cli.config.allowlist import ALLOWED, check_arguments, check_targets, whole_numbers
from tl_search.cli.config.convert import convert, hints
from tl_search.cli.config.renamed import current
from tl_search.cli.explain import first_line
from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import suggest

T = TypeVar("T")


def build(config: DictConfig) -> dict[str, Any]:
    """Every top-level node of a composed config as an object or plain value, by name.

    A node of a foreign class comes back as a plain dict with its `_target_`, once its arguments are known to fit:
    whoever uses it knows what it still lacks (an optimizer its parameters, a trainer its callbacks).

    Raises:
        BadInput: naming the node's path.
    """
    check_targets(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]  # a DictConfig gives a dict
    # Ours first: their mistakes show at once, while looking at a foreign class may import its library for seconds.
    names = sorted((str(name) for name in config if name != "hydra"), key=lambda name: name in ALLOWED)
    return {name: _value(config, name, name) for name in names}


def _value(node: DictConfig | ListConfig, key: Any, path: str) -> Any:
    """The value at a key of a node, built."""
    if OmegaConf.is_missing(node, key):
        raise BadInput(f"{path}: must be given ({path}=VALUE)")
    try:
        value = node[key]
    except OmegaConfBaseException as error:
        raise BadInput(f"{path}: {first_line(error)}") from error
    if isinstance(value, ListConfig):
        return [_value(value, number, f"{path}[{number}]") for number in range(len(value))]
    if not isinstance(value, DictConfig):
        return value
    target = None if "_target_" not in value else _value(value, "_target_", f"{path}._target_")
    # keys may be numbers, as in `scheduling: {0: 4}`, and are looked up as they are
    entries: dict[Any, Any] = {name: _value(value, name, f"{path}.{name!s}") for name in value if name != "_target_"}
    if target is None:
        return entries
    if not isinstance(target, str) or plugins.known(target):
        return _construct(str(target), entries, path)
    if path.partition(".")[0] not in ALLOWED:  # an interpolated `_target_`, which the check of the raw tree cannot see
        raise BadInput(f"{path}._target_: {target} is not allowed here")
    check_targets({path.partition(".")[0]: {"_target_": target}})
    partial = entries.pop("_partial_", None)  # Hydra's habit; all of ours are completed where they are used
    if partial not in (None, True, False):
        raise BadInput(f"{path}._partial_: must be true or false, got {partial!r}")
    check_arguments(target, entries, path)
    return whole_numbers({"_target_": target, **entries})


def _construct(target: str, given: Mapping[Any, Any], path: str) -> Any:
    cls = import_class(current(target), path)
    if not dataclasses.is_dataclass(cls) or not plugins.known(cls.__module__):
        raise BadInput(f"{path}._target_: {target} is not a class that a config may name")
    return construct(cls, {str(key): value for key, value in given.items()}, f"{path}.")


def construct(cls: type[T], given: Mapping[str, Any], prefix: str = "") -> T:
    """An object of one of our dataclasses, its types checked first; `prefix` goes before every message."""
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]  # T is one
    for key in given:
        if key not in fields:
            raise BadInput(f"{prefix}{key}: unknown key{suggest(key, fields)}")
    for name, field in fields.items():
        if name not in given and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise BadInput(f"{prefix}{name}: must be given ({prefix}{name}=VALUE)")
    types = hints(cls)
    values = {
        key: convert(_entries(value, types.get(key, Any), f"{prefix}{key}"), types.get(key, Any), f"{prefix}{key}")
        for key, value in given.items()
    }
    try:
        return cls(**values)
    except (ValueError, TypeError) as error:
        raise BadInput(f"{prefix}{error}") from error


def _entries(value: Any, hint: Any, path: str) -> Any:
    """Named entries that are all of one class of ours, which may leave out their `_target_`: stages of a curriculum."""
    kind = (get_args(hint) or (None, None))[-1]
    if not isinstance(value, dict) or not isinstance(kind, type) or not dataclasses.is_dataclass(kind):
        return value
    entries = {name: item for name, item in value.items() if isinstance(item, dict)}
    return {**value, **{name: construct(kind, item, f"{path}.{name}.") for name, item in entries.items()}}


def import_class(target: str, path: str) -> type:
    """The class that `_target_` names. Raises BadInput naming the node when there is none."""
    module_name, _, name = target.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise BadInput(f"{path}._target_: there is no module {module_name}") from error
        raise
    except Exception as error:
        if module_name.startswith(plugins.OURS):
            raise
        told = f"{type(error).__name__}: {first_line(error)}"
        raise BadInput(f"{path}._target_: {module_name} cannot be imported ({told})") from error
    found = getattr(module, name, None)
    if not isinstance(found, type):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise BadInput(f"{path}._target_: there is no class {name} in {module_name}{suggest(name, classes)}")
    return found
