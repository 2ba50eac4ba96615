"""Brings a large file into the Hub's cache, and goes on where an earlier download was cut off, even by a kill.

The Hub's client itself downloads into a file with a random name, which nobody finds again. Here the part that has come
lies under the name `SHA256.incomplete` beside the whole files, the client's function for downloads goes on from it, and
the lock is the one that the client takes. Whoever reads the file compares its sha256 with the one that the Hub lists.
"""

import os
import re
from typing import TYPE_CHECKING, Any

from tl_search.checkpoints.cache import HubCache
from tl_search.checkpoints.client import AnswerError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_RANGE = 416  # the status that says that there is nothing after the part that is here


def into_cache(cache: HubCache, api: "HfApi", commit: str, file: str, listed: Any) -> None:
    """Download a file into the cache's folder of contents, unless it is there or the Hub lists no sha256 of it.

    Args:
        listed: What the Hub lists of it: its size, and the sha256 of a file under Git LFS.

    Raises:
        What the Hub's client raises; the part that has come stays for the next time.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import WeakFileLock, build_hf_headers

    digest = listed.lfs.sha256 if listed.lfs else ""
    if not re.fullmatch("[0-9a-f]{64}", digest) or (whole := cache.blob(digest)).exists():
        return
    part = cache.part(digest)
    for folder in (cache.locks, part.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(cache.locks / f"{whole.name}.lock"):
        if whole.exists():  # another process was quicker
            return
        try:
            with part.open("ab") as opened:
                if opened.tell() > listed.size:
                    opened.truncate(0)
                url, here = (
                    hf_hub_url(cache.repository, file, revision=commit, endpoint=api.endpoint),
                    part.stat().st_size,
                )
                http_get(url, opened, resume_size=here, headers=build_hf_headers(), expected_size=listed.size,
                         displayed_filename=file)  # fmt: skip
            os.replace(part, whole)
        except BaseException as error:
            nothing = part.exists() and not part.stat().st_size
            if nothing or (isinstance(error, AnswerError) and error.status == _RANGE):
                part.unlink()
            raise
