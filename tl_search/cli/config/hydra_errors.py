"""Turns errors of Hydra and OmegaConf into one line that a person understands, with the most similar valid name."""

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from omegaconf import Container, DictConfig

from tl_search.cli.config.allowlist import ALLOWED
from tl_search.cli.config.purpose import not_of_this_command, other_purpose
from tl_search.cli.config.searchpath import EXAMPLES
from tl_search.cli.config.signature import signature
from tl_search.cli.explain import first_line
from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import nearest_name, suggest
from tl_search.training.trainer import why_left_out

_STRANGE_GROUP = re.compile(
    r"(?:In '(?P<file>[^']+)': )?Could not override '(?P<group>[^']+)'\."
    r"(?:\s*No match in the defaults list|\s*Did you mean to override (?:one of )?(?P<meant>[^?]+)\?)"
)
_ABSENT = re.compile(r"Could not delete (?:from config\. )?'([^']+)'(?: does not exist|\. No match)")
_THERE = re.compile(r"Could not append to config\. An item is already at '([^']+)'")
# Places to which entries may be added.
_OPEN = re.compile(r"(?P<stage>curriculum\.stages\.[^.]+\.(weights|data)(\.mix)?)|data\.corpus\.(mix|sources)")
_FEW = 3  # settings of one name that are worth listing


@contextmanager
def readable(command: str = "", overrides: Sequence[str] = ()) -> Iterator[None]:
    """Turns the errors that composing a config can raise into BadInput.

    Args:
        command: The command whose config is composed, and its `overrides`, for messages that speak of them.
    """
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except BadInput:
        raise
    except HydraException as error:
        raise BadInput(_hydra(error, command, overrides)) from error
    except OmegaConfBaseException as error:
        raise BadInput(_omegaconf(error)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{mark.name}:{mark.line + 1}:{mark.column + 1}: " if mark else ""
        raise BadInput(f"{where}{error.problem or 'not YAML'}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"a config file is not UTF-8 text: {first_line(error)}") from error


def _hydra(error: Exception, command: str, overrides: Sequence[str]) -> str:
    from hydra.errors import MissingConfigException, OverrideParseException
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

    if isinstance(error, MissingConfigException):
        return _no_option(error.missing_cfg_file or "?", error.options or [], overrides)
    if isinstance(error, OverrideParseException):
        hint = f"a text with special characters needs quotes: {in_quotes(error.override)}"
        return f"{error.override}: cannot be read; {hint}"
    if found := _ABSENT.match(str(error)):
        return f"~{found[1]}: cannot be removed, since it does not exist"
    if found := _THERE.match(str(error)):
        return f"+{found[1]}: is in the config already, so that it is set without the +"
    if found := _STRANGE_GROUP.match(str(error)):
        return _no_group(found["file"], found["group"], found["meant"] or "", command, overrides)
    cause = error.__cause__
    if isinstance(cause, (ConfigKeyError, ConfigAttributeError)):
        parent = cause.parent_node if cause.parent_node is not None else {}
        tries = command == "search" and any(word.startswith("trainer.fast_dev_run=") for word in overrides)
        hint = "; debug=true tries a search" if tries and cause.key == "trainer" else ""
        return unknown_key(str(cause.full_key), str(cause.key), parent, command) + hint
    if isinstance(cause, OmegaConfBaseException):
        return _omegaconf(cause)
    told = str(error).splitlines()
    if len(told) > 1 and told[0].endswith("raised while composing config:"):
        return f"{told[0].split(chr(39))[1]}.yaml: {told[1].rstrip('.')}"  # the file, and what is wrong in it
    return first_line(error)


def _no_option(missing: str, options: Sequence[str], overrides: Sequence[str]) -> str:
    """The message for an option that is not there; those of one's own groups may lie in folders."""
    group, _, option = missing.rpartition("/")
    top, _, rest = missing.partition("/")
    if top in EXAMPLES:
        group, option, options = top, rest, list(_nested(top, overrides))
    elif group and not options:  # of one among several, Hydra does not say them
        options = list(_nested(group, overrides))
    hint = f"; for single tasks: tasks.names=[{option}]" if group == "tasks" else ""
    return f"{group or 'config'}: no option {option!r}{suggest(option, options)}{hint}"


def _nested(group: str, overrides: Sequence[str], folder: str = "") -> Iterator[str]:
    """The options of a group and of the folders in it, as they are written: `quickstart/run`."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.object_type import ObjectType

    loader = GlobalHydra.instance().config_loader()
    places = [word for word in overrides if word.startswith("hydra.searchpath=")]

    def inside(kind: ObjectType) -> list[str]:
        return loader.get_group_options(f"{group}/{folder}".rstrip("/"), kind, None, places)

    yield from (folder + option for option in inside(ObjectType.CONFIG))
    for deeper in inside(ObjectType.GROUP):
        yield from _nested(group, overrides, f"{folder}{deeper}/")


def _no_group(file: str | None, group: str, meant: str, command: str, overrides: Sequence[str]) -> str:
    """The message for a group that has no place in the command's config, named by a file or on the command line."""
    if file and command and (other := other_purpose(command, overrides)):
        return other
    if not file and (other := not_of_this_command(group, command)):
        return other
    where = f"{file}: " if file else ""
    return f"{where}{group}: is no group of options of tl {command}{meant and f'; did you mean {meant}?'}"


def unknown_key(path: str, key: str, parent: Any, command: str = "") -> str:
    """The message for a key that a config does not have.

    Args:
        path: The whole path of the key.
        parent: The node that lacks it.
        command: The command whose config it is, if other commands' settings are worth a word.
    """
    within, dot, _ = path.rpartition(".")
    if command and not dot:
        if other := not_of_this_command(key, command):
            return other
        if f"{key}s" not in parent and (other := not_of_this_command(f"{key}s", command)):
            return other
    options = {str(name) for name in parent} - {"_target_", "hydra", key} | ({*EXAMPLES} if not dot else set())
    more = _arguments(path.partition(".")[0], parent) - options
    if key in more and (refusal := path.startswith("trainer.") and why_left_out(key)):
        return f"{path}: {refusal}"
    if key in more:
        return f"{path}: is not in the config, but its class knows it: +{path}=VALUE adds it"
    if (place := _OPEN.fullmatch(within)) and not nearest_name(key, options):
        return f"{path}: is not set{' in this stage' if place['stage'] else ''}; +{path}=VALUE adds it"
    root: Any = parent._get_root() if isinstance(parent, Container) else {}
    same = [place for place in _places(root, key) if not place.startswith("hydra.") and place != path]
    below = [place for place in same if place.startswith(within + dot)]
    near = nearest_name(key, options | more)
    meant = below or ([f"+{within}.{near}"] if near in more else [] if near else same)
    if 0 < len(meant) <= _FEW:
        return f"{path}: unknown key; did you mean {' or '.join(meant)}?"
    return f"{path}: unknown key{suggest(key, options)}"


def _arguments(room: str, node: Any) -> set[str]:
    """The arguments of a library's class that a node names, as far as its source tells them."""
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    try:
        return set(signature(target).types) if isinstance(target, str) and room in ALLOWED else set()
    except LookupError:
        return set()


def _places(node: Any, key: str, path: str = "") -> Iterator[str]:
    """The paths of all settings of that name."""
    for name in node if isinstance(node, DictConfig) and not node._is_none() and not node._is_missing() else ():
        place = f"{path}.{name!s}" if path else str(name)
        if name == key:
            yield place
        yield from _places(node._get_node(name), key, place)


def in_quotes(override: str) -> str:
    """A setting in the form in which a shell and Hydra take its value for one text: `'name="a,b"'`."""
    key, _, value = override.partition("=")
    inner = value.strip("'\"").replace("\\", "\\\\").replace('"', '\\"')
    return shlex.quote(f'{key}="{inner}"')


def _omegaconf(error: Exception) -> str:
    path = getattr(error, "full_key", None)
    text = first_line(error)
    if path and "HydraConfig was not set" in text:  # Hydra looks a setting up before it deletes it
        return f"{path}: must not be removed ({path}=VALUE sets it)"
    gone = re.fullmatch(r"Interpolation key '(\w+)' not found", text)
    if gone and path in ("hydra.run.dir", "hydra.sweep.dir"):  # the directory of the run is named by it
        return f"{gone[1]}: must not be removed ({gone[1]}=VALUE sets it)"
    return f"{path}: {text}" if path and str(path) not in text else text
