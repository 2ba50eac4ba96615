"""Uploads an export to the Hub, with the token of whoever runs the command."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.checkpoints.client import tell_nothing
from tl_search.checkpoints.repository import endpoint, offline
from tl_search.errors.secrets import redact

if TYPE_CHECKING:
    from huggingface_hub import HfApi

FIELD = "push_to_hub"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")  # the Hub's own rule is a little narrower


def check_target(name: str) -> None:
    """Raises ValueError where it is no repository's name, or where nothing can be uploaded from here."""
    from huggingface_hub import get_token

    if not _NAME.fullmatch(name):
        raise ValueError(f"{FIELD}: must be owner/name, of letters, digits, dots, dashes and underscores, got {name!r}")
    if offline():
        raise ValueError(f"{FIELD}: {name} cannot be uploaded while HF_HUB_OFFLINE is set")
    if get_token() is None:
        raise ValueError(f"{FIELD}: {name} cannot be uploaded without a token: set HF_TOKEN, or run `hf auth login`")


def claim(name: str, overwrite: bool) -> None:
    """Make the repository, private, before the work begins whose result it will hold.

    Args:
        overwrite: Whether it may exist.

    Raises:
        ValueError: it exists, or the Hub does not let this account write it.
        OSError: the Hub does not answer.
    """
    _asked(name, lambda api: api.create_repo(name, private=True, exist_ok=overwrite))


def upload(name: str, folder: Path, what: str) -> str:
    """Make the repository's files those of the folder, in one commit. Returns its address.

    Raises:
        ValueError: the Hub does not let this account write it.
        OSError: the Hub does not answer.
    """
    _asked(
        name,
        lambda api: api.upload_folder(repo_id=name, folder_path=folder, commit_message=what, delete_patterns=["*"]),
    )
    return f"{endpoint()}/{name}"


def _asked(name: str, call: Callable[[HfApi], Any]) -> Any:
    from huggingface_hub import HfApi, errors

    tell_nothing()
    try:
        return call(HfApi(endpoint()))
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        reason = {
            401: "the Hub does not know the token of HF_TOKEN or `hf auth login` (401)",
            403: "the account of the token may not write there (403)",
            409: "it exists; overwrite=true replaces its files",
        }.get(status)
        if reason is None and status >= 500:
            raise ConnectionError(f"{FIELD}: {name}: the Hub fails (HTTP {status})") from error
        raise ValueError(f"{FIELD}: {name}: {reason or redact(str(error).splitlines()[0])}") from error
    except (errors.HTTPError, ConnectionError, TimeoutError) as error:  # no answer, or a broken one
        raise ConnectionError(f"{FIELD}: {name}: {endpoint()} does not answer ({type(error).__name__})") from error
