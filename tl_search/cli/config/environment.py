"""Where secrets go is said in the environment of the person who gives a command, never in a config.

Tokens and passwords are read from the environment, and clients send them to the servers that it names. So a config that
somebody else wrote must not name the server of a logger; `carried_out.py` keeps it from setting variables.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from omegaconf import DictConfig

from tl_search.checkpoints.repository import PUBLIC, endpoint
from tl_search.cli.config.secrets import entries
from tl_search.errors.kinds import BadInput
from tl_search.errors.printable import printable

# Arguments of loggers that name a server.
_SERVER = re.compile(r"(?:^|_)(?:ur[il]|host|endpoint|server|address|prox(?:y|ies))(?:_|$)", re.IGNORECASE)


def check_servers(config: DictConfig) -> None:
    """Refuse the address of a logger's server. Raises BadInput."""
    loggers = config.get("logger")
    for where, _, value in entries(loggers, "logger") if isinstance(loggers, DictConfig) else ():
        arguments = where.split(".")[2:]  # after the name that the config gives to the logger
        address = isinstance(value, str) and re.match("https?:", value, re.IGNORECASE)
        if address or (value is not None and any(map(_SERVER.search, arguments))):
            raise BadInput(
                f"{where}: must be left out: a logger sends its login to the server that it is given, so only the "
                "environment may name one (MLFLOW_TRACKING_URI, WANDB_BASE_URL, COMET_URL_OVERRIDE)"
            )


def tell_endpoint(plan: Any) -> None:
    """Say first of all which server is asked instead of the Hub, where something of a plan comes from the Hub."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return
    if (server := endpoint()) != PUBLIC and (what := next(_remote(plan), None)):
        print(
            f"HF_ENDPOINT: {printable(what)} comes from {printable(server)} instead of {PUBLIC}, and the access token "
            "is sent there",
            file=sys.stderr,
            flush=True,
        )


def _remote(part: Any) -> Iterator[str]:
    """What the parts of a plan say that they fetch."""
    if isinstance(part, Mapping):
        part = tuple(part.values())
    if isinstance(part, list | tuple):
        for item in part:
            yield from _remote(item)
    elif is_dataclass(part) and not isinstance(part, type):
        if remote := getattr(part, "remote", None):
            yield str(remote)
        yield from _remote([getattr(part, field.name) for field in fields(part)])
