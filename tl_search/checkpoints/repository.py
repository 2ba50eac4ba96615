"""One model's repository on the Hub: what it lists, its files, and what each of its bad answers means."""

import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.checkpoints import registry
from tl_search.checkpoints.cache import HubCache
from tl_search.checkpoints.client import AnswerError, Watch
from tl_search.checkpoints.resume import into_cache
from tl_search.checkpoints.retry import patiently
from tl_search.runs import digests, trusted
from tl_search.store.atomic import read_json
from tl_search.store.manifest import file_digest

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PUBLIC = "https://huggingface.co"  # the Hub itself
_AGAIN = "remove it, so that it is downloaded again"
_FIELD = "checkpoints.models"  # the setting that a refusal is about
_downloading = threading.Lock()


def endpoint() -> str:
    """The address of the server that stands for the Hub, which also gets the access token.

    The client itself reads the variable only when it is imported.
    """
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


class RefusedError(ValueError):
    """The Hub does not give what was asked for, and will not before somebody does something."""


class MissingError(ValueError):
    """A revision or a file does not exist."""


class UnreadableError(ValueError):
    """A file is not what its name says."""


def offline() -> bool:
    """Whether HF_HUB_OFFLINE is set, so that nothing is asked."""
    from huggingface_hub import constants

    return constants.is_offline_mode()


@dataclass(frozen=True)
class Access:
    """How the Hub is asked; each setting is that of `HubCheckpoints` with this name."""

    cache: str | None
    patience: float
    silence: float
    file_timeout: float


@dataclass
class Repository:
    """A model on the server that HF_ENDPOINT names, else on the Hugging Face Hub.

    Args:
        name: With its organisation.
        failures: If there is one, nothing more is asked: with many requests under way, each would wait for as long
            again.
    """

    name: str
    access: Access
    failures: list[Exception] = field(default_factory=list)

    def beside(self, name: str) -> "Repository":
        """Another repository of the same model."""
        return self if name == self.name else replace(self, name=name)

    def asked(self, what: str, call: "Callable[[HfApi], Any]") -> Any:
        """What a request gives that is made through the Hub's client; `what` is for messages. Raises as `_ask`."""
        return self._ask(lambda: call(self._api), what)

    def commits(self) -> dict[str, str]:
        """Branch or tag → commit."""
        refs = self._ask(lambda: self._api.list_repo_refs(self.name), "its branches")
        return {ref.name: self.checked(ref.name, ref.target_commit) for ref in [*refs.tags, *refs.branches]}

    def history(self, branch: str) -> list[tuple[str, str]]:
        """(Commit, title) of each commit of a branch, the newest first."""
        commits = self._ask(lambda: self._api.list_repo_commits(self.name, revision=branch), f"the commits of {branch}")
        return [(commit.commit_id, commit.title) for commit in commits]

    def checked(self, name: str, commit: object) -> str:
        """A commit that the Hub names, which becomes the name of a folder. Raises RefusedError if it is none."""
        if not re.fullmatch("[0-9a-f]{40}", str(commit)):
            raise RefusedError(f"{_FIELD}: {self.name}: the commit of {name} is {commit!r}, so this is no Hub")
        return str(commit)

    def files(self, commit: str, revision: str) -> dict[str, Any]:
        """File's name → what the Hub says of it: its size, and the sha256 of a large one. Asked for once."""
        if commit not in self._described:

            def describe() -> dict[str, Any]:
                info = self._api.model_info(self.name, revision=commit, files_metadata=True)
                return {file.rfilename: file for file in info.siblings or []}

            self._described[commit] = self._ask(describe, revision)
        return self._described[commit]

    def weights(self, commit: str, revision: str) -> dict[str, Any]:
        """Those of a commit's files that hold its weights: safetensors if there are any, else .bin."""
        files = self.files(commit, revision)
        return {name: files[name] for name in digests.weight_files(files)}

    def others(self, commit: str, revision: str) -> list[str]:
        """The names of the other files that a model is loaded with; never weights of another format."""
        files, weights = self.files(commit, revision), self.weights(commit, revision)
        indexes = {digests.INDEXES[Path(name).suffix] for name in weights}
        return [name for name in (*indexes, digests.CONFIG, *digests.TOKENIZER) if name in files]

    def code(self, commit: str, revision: str) -> list[str]:
        """The names of the files with a model's own code, if the person lets it run; from now on it may be run."""
        if not trusted.grant(self.name, commit, self.cache.snapshot(commit)) or offline():
            return []
        return [name for name in self.files(commit, revision) if name.endswith(".py") and "/" not in name]

    def sha256(self, commit: str, revision: str, file: Any) -> str:
        """The sha256 of a file: the Hub lists it for large files, a small file is downloaded."""
        return file.lfs.sha256 if file.lfs else file_digest(self.small(commit, revision, file))

    def settings(self, commit: str, revision: str, file: Any) -> Mapping[str, Any]:
        """The content of a small JSON file. Raises UnreadableError if it is none."""
        path = self.small(commit, revision, file)
        try:
            content = read_json(path)
        except ValueError as error:
            raise UnreadableError(f"its {file.rfilename} is not JSON ({path.resolve()}; {_AGAIN})") from error
        if not isinstance(content, dict):
            raise UnreadableError(f"its {file.rfilename} holds no settings ({path.resolve()}; {_AGAIN})")
        return content

    def small(self, commit: str, revision: str, file: Any) -> Path:
        """The local path of a small file, which is downloaded once even if several revisions share it."""
        with _downloading:
            if file.blob_id not in self._blobs:
                self._blobs[file.blob_id] = self.download(commit, revision, file.rfilename)
            return self._blobs[file.blob_id]

    def download(self, commit: str, revision: str, file: str, again: bool = False, large: Any = None) -> Path:
        """The local path of a file, downloaded if it is not in the cache, or `again`.

        Of several processes that want it, one downloads it, and the others wait; it gets its name when it is whole.

        Args:
            large: What the Hub lists of a large file, whose download goes on where an earlier one was cut off.
        """

        def download() -> str:
            if large is not None and not again:
                into_cache(self.cache, self._api, commit, file, large)
            return self._api.hf_hub_download(
                self.name, file, revision=commit, cache_dir=self.access.cache, force_download=again
            )

        return Path(self._ask(download, f"{file} of {revision}", self.access.file_timeout))

    @cached_property
    def cache(self) -> HubCache:
        """Its part of the cache."""
        return HubCache(self.access.cache, self.name)

    @cached_property
    def _described(self) -> dict[str, dict[str, Any]]:
        return {}

    @cached_property
    def _blobs(self) -> dict[str, Path]:
        return {}

    @property
    def _api(self) -> "HfApi":
        from huggingface_hub import HfApi

        return HfApi(endpoint())

    def _ask(self, call: Callable[[], Any], what: str, whole: float | None = None) -> Any:
        """The call's result.

        Args:
            whole: Seconds that the call may take if it makes progress.

        Raises:
            RefusedError: nothing changes before somebody acts.
            MissingError: what was asked for does not exist.
            UnreachableError: the Hub did not answer.
        """
        from huggingface_hub import errors

        if self.failures:
            raise self.failures[0]
        patience, silence = self.access.patience, self.access.silence
        watch = Watch(silence, whole or patience + silence)
        try:
            return patiently(call, f"{self.name}: {what}", patience, watch)
        except AnswerError as error:
            raise self._meaning(error, what) from error
        except errors.LocalEntryNotFoundError as error:  # the answer has no commit or no checksum
            raise RefusedError(f"{_FIELD}: {self.name}: {what}: {_NO_HUB}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:  # the answer cannot be read
            raise RefusedError(f"{_FIELD}: {self.name}: {what}: {_NO_HUB} ({type(error).__name__}: {error})") from error

    def _meaning(self, answer: AnswerError, what: str) -> ValueError:
        name = self.name
        if answer.page:
            return RefusedError(f"{_FIELD}: {name}: {what}: {_NO_HUB}")
        if answer.code == "GatedRepo":
            return RefusedError(
                f"{_FIELD}: {name} is gated; accept its terms and set HF_TOKEN: ask for access at {endpoint()}/{name}, "
                "and take a token of the account that gets it"
            )
        if answer.code in ("RevisionNotFound", "EntryNotFound"):
            return MissingError(f"{name}: {what} has been removed from the Hub")
        if answer.status == 404 and what != "its branches":
            return MissingError(f"{name}: {what} is not on the Hub (any more)")
        if answer.status == 404 or answer.code == "RepoNotFound":
            return RefusedError(f"{_FIELD}: {name} is not on the Hub, or private (HF_TOKEN){registry.near(name)}")
        if answer.status == 401:
            return RefusedError(
                f"{_FIELD}: {name}: {what}: the Hub asks who you are (401); is HF_TOKEN set, and valid?"
            )
        if answer.status == 403:
            said = "the Hub forbids it (403); may the account of HF_TOKEN read it, and is no firewall in the way?"
            return RefusedError(f"{_FIELD}: {name}: {what}: {said}")
        return RefusedError(f"{_FIELD}: {name}: {what}: the Hub refuses ({answer})")


_NO_HUB = "the answer is not that of a Hub; is a login page or a proxy in the way, or is HF_ENDPOINT wrong?"
