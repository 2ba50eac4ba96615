"""Which logging config may be carried out: Python makes objects of what it names, so only known keys may be there."""

import codecs
import logging
import re
from collections.abc import Mapping
from typing import Any, Literal

from tl_search.cli.config.convert import convert
from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import suggest

CLASSES = ("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler", "colorlog.ColoredFormatter")
STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
LOG_FOLDER = "${hydra.runtime.output_dir}/"

_LOG = r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.log"  # no other file of a run

_TOP = ("version", "formatters", "handlers", "loggers", "root", "disable_existing_loggers", "incremental")
# What may stand in each entry. Others, such as `()` of a handler, `filters` and `.`, call functions or set attributes.
_ENTRIES = {
    "formatters": ("()", "class", "format", "datefmt", "style", "validate", "log_colors", "secondary_log_colors",
                   "reset", "no_color", "force_color"),
    "handlers": ("class", "level", "formatter", "stream", "filename", "mode", "encoding", "delay"),
    "loggers": ("level", "handlers", "propagate"),
}  # fmt: skip

Level = Literal["DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL", "NOTSET"]
_TYPES: dict[str, Any] = {
    **{"version": Literal[1], "disable_existing_loggers": bool, "incremental": bool},
    **{"()": str, "class": str, "format": str, "datefmt": str | None, "style": str, "validate": bool},
    **{"log_colors": dict[str, str] | None, "secondary_log_colors": dict[str, dict[str, str]] | None, "reset": bool},
    **{"no_color": bool, "force_color": bool, "level": Level | int | None, "formatter": str | None, "stream": str},
    **{"filename": str, "mode": Literal["a", "w"], "encoding": str | None, "delay": bool, "handlers": list[str]},
    **{"propagate": bool},
}


def check_logging(given: Any, path: str) -> None:
    """Refuse a logging config, without interpolations, that makes other objects than handlers and formatters we know.

    Raises:
        BadInput: naming the key.
    """
    if given is None:
        return
    top = _mapping(given, path, _TOP)
    for key in sorted({"version", "disable_existing_loggers", "incremental"} & {*top}):
        convert(top[key], _TYPES[key], f"{path}.{key}")
    if top.get("root") is not None:
        _check_entry(top["root"], f"{path}.root", "loggers")
    for kind in _ENTRIES:
        for name, entry in _mapping(top.get(kind) or {}, f"{path}.{kind}").items():
            _check_entry(entry, f"{path}.{kind}.{name}", kind)
    _check_names(top, path)


def _check_entry(entry: Any, path: str, kind: str) -> None:
    for key, value in _mapping(entry, path, _ENTRIES[kind]).items():
        where = f"{path}.{key}"
        if "://" in str(value) and key not in ("stream", "()", "class", "filename"):
            raise BadInput(f"{where}: must not name an object, got {value}")
        convert(value, _TYPES[key], where)
        if key in ("()", "class"):
            _one_of(value, CLASSES, where)
        elif key == "stream":
            _one_of(value, STREAMS, where)
        elif key == "style":
            _one_of(value, ("%", "$"), where)  # the other one reads attributes of what is logged
        elif key == "filename" and not re.fullmatch(re.escape(LOG_FOLDER) + _LOG, str(value)):
            raise BadInput(f"{where}: must be in the run directory ({LOG_FOLDER}NAME.log), got {value}")


def _check_names(top: Mapping[str, Any], path: str) -> None:
    """Refuse names of handlers, formatters and encodings that are not there."""
    handlers, formatters = top.get("handlers") or {}, top.get("formatters") or {}
    loggers = {f"loggers.{name}": entry for name, entry in (top.get("loggers") or {}).items()}
    for where, entry in {"root": top.get("root") or {}, **loggers}.items():
        for name in entry.get("handlers") or ():
            if name not in handlers:
                raise BadInput(f"{path}.{where}.handlers: there is no handler {name!r}{suggest(name, handlers)}")
    for name, entry in handlers.items():
        formatter, encoding = entry.get("formatter"), entry.get("encoding")
        if formatter is not None and formatter not in formatters:
            told = f"there is no formatter {formatter!r}{suggest(formatter, formatters)}"
            raise BadInput(f"{path}.handlers.{name}.formatter: {told}")
        try:
            codecs.lookup(encoding or "utf-8")
        except LookupError as error:
            raise BadInput(f"{path}.handlers.{name}.encoding: {error}") from error
    for name, entry in formatters.items():
        try:
            logging.Formatter(entry.get("format"), entry.get("datefmt"), entry.get("style", "%"))
        except ValueError as error:
            raise BadInput(f"{path}.formatters.{name}.format: {error}") from error


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
