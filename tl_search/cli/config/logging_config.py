"""Which logging config may be carried out: Python makes objects of what it names, so only known keys may be there."""

from collections.abc import Mapping
from typing import Any

from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import suggest

CLASSES = ("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler", "colorlog.ColoredFormatter")
STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
LOG_FOLDER = "${hydra.runtime.output_dir}/"

_TOP = ("version", "formatters", "handlers", "loggers", "root", "disable_existing_loggers", "incremental")
# What may stand in each entry. Others, such as `()` of a handler, `filters` and `.`, call functions or set attributes.
_ENTRIES = {
    "formatters": ("()", "class", "format", "datefmt", "style", "validate", "log_colors", "secondary_log_colors",
                   "reset", "no_color", "force_color"),
    "handlers": ("class", "level", "formatter", "stream", "filename", "mode", "encoding", "delay"),
    "loggers": ("level", "handlers", "propagate"),
}  # fmt: skip


def check_logging(given: Any, path: str) -> None:
    """Refuse a logging config, without interpolations, that makes other objects than handlers and formatters we know.

    Raises:
        BadInput: naming the key.
    """
    if given is None:
        return
    top = _mapping(given, path, _TOP)
    if top.get("root") is not None:
        _check_entry(top["root"], f"{path}.root", "loggers")
    for kind in _ENTRIES:
        for name, entry in _mapping(top.get(kind) or {}, f"{path}.{kind}").items():
            _check_entry(entry, f"{path}.{kind}.{name}", kind)


def _check_entry(entry: Any, path: str, kind: str) -> None:
    for key, value in _mapping(entry, path, _ENTRIES[kind]).items():
        where = f"{path}.{key}"
        if key in ("()", "class"):
            _one_of(value, CLASSES, where)
        elif key == "stream":
            _one_of(value, STREAMS, where)
        elif key == "style":
            _one_of(value, ("%", "$"), where)  # the other one reads attributes of what is logged
        elif key == "filename" and not (str(value).startswith(LOG_FOLDER) and ".." not in str(value)):
            raise BadInput(f"{where}: must be in the run directory ({LOG_FOLDER}…), got {value}")
        elif "://" in str(value):
            raise BadInput(f"{where}: must not name an object, got {value}")


def _one_of(value: Any, allowed: tuple[str, ...], where: str) -> None:
    if value not in allowed:
        raise BadInput(f"{where}: {value} is not allowed here (allowed: {', '.join(allowed)})")


def _mapping(value: Any, path: str, known: tuple[str, ...] | None = None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadInput(f"{path}: must be a mapping, got {value!r}")
    for key in value:
        if known is not None and key not in known:
            raise BadInput(f"{path}.{key}: is not allowed here{suggest(str(key), known)}")
    return value
