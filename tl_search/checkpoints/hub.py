"""The revisions of a model that are published on the Hugging Face Hub as branches and tags named by their step."""

import os
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tl_search.checkpoints import registry
from tl_search.checkpoints.content import Content
from tl_search.checkpoints.family import Family, Published
from tl_search.checkpoints.retry import patiently
from tl_search.checkpoints.source import NAMED, ModelShape, from_names, in_the_name, left_out, shape_of
from tl_search.plane.revision import Revision, check_name
from tl_search.runs import digests
from tl_search.store.atomic import read_json
from tl_search.store.manifest import DamagedError, file_digest

if TYPE_CHECKING:
    from huggingface_hub import HfApi

# Requests at a time while revisions are listed.
_REQUESTS = 8
_downloading = threading.Lock()


@dataclass(frozen=True)
class HubCheckpoints:
    """Branches and tags named by their step (`step1000`, `step200-tokens1B`, …), and `main`.

    Their commits are looked up once and used from then on. The digests of a revision come from the checksums that the
    Hub lists, so no weights are downloaded for them. The environment variable HF_TOKEN gives the token for gated
    models, HF_ENDPOINT the address of another server.

    Args:
        models: `pythia-410m`, or with its organisation: `EleutherAI/pythia-410m`. A search takes exactly one.
        cache: The folder for downloads; None uses the Hub client's own cache.
        patience: Seconds, >= 0, for which one failing request is repeated before the Hub counts as unreachable.
        suspects: Whether revisions are kept that have a shard of another step.
        family: The name of a family in the registry, all models of which are meant instead of `models`.
    """

    models: tuple[str, ...] = ("pythia-410m",)
    organisation: str = "EleutherAI"
    cache: str | None = None
    patience: float = 300.0
    suspects: bool = False
    family: str | None = None

    DECIDES: ClassVar = {"files": "models organisation cache patience suspects family"}

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(self.models))
        if not self.models:
            raise ValueError("models: must be at least one, got none")
        part = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
        for repository in self.repositories:
            if not re.fullmatch(f"{part}/{part}", repository) or ".." in repository:
                raise ValueError(f"models: must be named like EleutherAI/pythia-410m, got {repository!r}")
        if not 0 <= self.patience < float("inf"):
            raise ValueError(f"patience: must be a finite number >= 0, got {self.patience}")

    @property
    def model(self) -> str:
        """The model's name. Raises ValueError if there are several."""
        if len(self.models) != 1:
            raise ValueError(f"models: must be one (only one is searched at a time), got {len(self.models)}")
        if self.family is not None:
            raise ValueError(f"family: must be null (only one model is searched at a time), got {self.family}")
        return self.models[0]

    @property
    def repository(self) -> str:
        """The model's full name on the Hub, with the organisation. Raises ValueError if there are several."""
        return self._full(self.model)

    @property
    def repositories(self) -> tuple[str, ...]:
        """The full names of all models, or of those of the family. Raises ValueError for an unknown family."""
        if self.family is None:
            return tuple(dict.fromkeys(map(self._full, self.models)))
        try:
            family = registry.named(self.family)
        except ValueError as error:
            raise ValueError(f"family: {error}") from error
        if not family.models:
            raise ValueError(f"family: the registry names no models of {family.name}; give them as models=[…]")
        return tuple(f"{family.organisation}/{model}" for model in family.models)

    def _full(self, model: str) -> str:
        return model if "/" in model else f"{self.organisation}/{model}"

    def revisions(self) -> tuple[Revision, ...]:
        """The revisions that have weights; others are left out with a warning.

        Raises:
            ValueError: there is no such model, access to it is denied, or none of its branches is a revision.
            UnreachableError: the Hub did not answer.
        """
        return self._revisions

    @cached_property
    def _revisions(self) -> tuple[Revision, ...]:
        with ThreadPoolExecutor(_REQUESTS) as pool:
            contents = dict(zip(self._commits, pool.map(self._content, self._commits), strict=True))
        there = {name: content for name, content in contents.items() if content is not None}
        found = from_names(there, self.suspects, self._place)
        if not found:
            raise ValueError(f"models: {self.repository} has no branches with weights that are named {NAMED}")
        return found

    def fetch(self, revision: Revision) -> Path:
        """The revision's folder in the cache; files that are missing there are downloaded.

        Raises:
            DamagedError: the files differ from what the Hub lists, also after a second download; or the revision was
                removed from the Hub.
        """
        from huggingface_hub import errors

        if revision.name not in self._commits:
            raise ValueError(f"revision: {revision.name} is not a revision of {self.repository}")
        for again in (False, True):
            try:
                folder = self._snapshot(revision.name, again)
            except errors.RevisionNotFoundError as error:
                raise DamagedError(f"{self.repository}: {revision.name} has been removed from the Hub") from error
            if digests.folder_digests(folder) == (revision.weights, revision.tokenizer):
                return folder
        raise DamagedError(f"{folder}: {revision.name} is not what the Hub lists, though it was downloaded twice")

    def _snapshot(self, name: str, again: bool) -> Path:
        """The folder of a revision in the cache; with `again` all files are downloaded, also those in the cache."""
        commit = self._commits[name]
        weights = digests.weight_files(file.rfilename for file in self._files(commit))
        indexes = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
        wanted = [*weights, *indexes, digests.CONFIG, *digests.TOKENIZER]

        def download() -> str:
            return self._api.snapshot_download(
                self.repository, revision=commit, allow_patterns=wanted, cache_dir=self.cache, force_download=again
            )

        return Path(self._ask(download, name))

    def shape(self) -> ModelShape:
        return shape_of(self._download(self._commits[self._revisions[-1].name], digests.CONFIG).parent)

    @cached_property
    def _commits(self) -> Mapping[str, str]:
        """Revision's name → commit, ordered by name. Kept, because a branch may change while a search runs."""
        family = self._family
        refs = self._ask(lambda: self._api.list_repo_refs(self.repository), "its branches")
        commits = {ref.name: ref.target_commit for ref in [*refs.tags, *refs.branches]}
        placed = {name: commits[name] for name in sorted(commits) if name == "main" or self._place(name)}
        named = NAMED if family is None else f"that of a checkpoint of {family.title} on one time axis"
        left_out(commits.keys() - placed.keys(), f"the step is read from the name, which must be {named}")
        return placed

    def _place(self, name: str) -> tuple[int, int | None] | None:
        """(Step from the beginning of training, tokens if known) that a branch's name tells, as its family means it."""
        family, model, alone = self._family, self.repository.rpartition("/")[2], in_the_name(name)
        if family is None or (alone is not None and family.position(name, model) == alone[0]):
            return alone  # tokens too, so that the plane of an earlier search is the same as now
        position, place = family.position(name, model), family.place(name, model)
        return None if position is None or place is None else (position, place.tokens)

    @cached_property
    def _family(self) -> Family | None:
        """The model's family. Raises ValueError if its checkpoints are no branches or tags."""
        family = registry.family_of(self.repository)
        if family is not None and family.published in (Published.commits, Published.repositories):
            raise ValueError(
                f"models: the checkpoints of {family.title} are {family.published.value} of their own, which a search "
                "cannot use yet; download them into folders named by their step, and search checkpoints=folder"
            )
        return family

    def _content(self, name: str) -> Content | None:
        """What a revision's files hold; None when it has no weights."""
        from huggingface_hub import errors

        commit = self._commits[check_name(name)]
        try:
            files = {file.rfilename: file for file in self._files(commit)}
            weights = digests.weight_files(files)
            if not weights or digests.CONFIG not in files:
                left_out([name], f"{self.repository} has no weights there")
                return None
            tokenizer = {file: self._sha256(commit, files[file]) for file in digests.TOKENIZER if file in files}
            settings = files.get(digests.TOKENIZER_CONFIG)
            parts = {file: self._sha256(commit, files[file]) for file in weights}
            return Content(
                digests.weights_digest(parts, read_json(self._small(commit, files[digests.CONFIG]))),
                digests.tokenizer_digest(tokenizer, read_json(self._small(commit, settings)) if settings else None),
                tuple(parts.values()),
            )
        except (errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError):  # HTTP 404; other errors are raised
            left_out([name], f"{self.repository} no longer has it")
            return None

    def _files(self, commit: str) -> list[Any]:
        info = self._ask(lambda: self._api.repo_info(self.repository, revision=commit, files_metadata=True), commit)
        return info.siblings or []

    def _sha256(self, commit: str, file: Any) -> str:
        """The sha256 of a file: the Hub lists it for large files, a small file is downloaded."""
        return file.lfs.sha256 if file.lfs else file_digest(self._small(commit, file))

    def _small(self, commit: str, file: Any) -> Path:
        """The local path of a small file, which is downloaded once even if several revisions share it."""
        with _downloading:
            if file.blob_id not in self._blobs:
                self._blobs[file.blob_id] = self._download(commit, file.rfilename)
            return self._blobs[file.blob_id]

    @cached_property
    def _blobs(self) -> dict[str, Path]:
        return {}

    def _download(self, commit: str, file: str) -> Path:
        def download() -> str:
            return self._api.hf_hub_download(self.repository, file, revision=commit, cache_dir=self.cache)

        return Path(self._ask(download, file))

    @property
    def _api(self) -> "HfApi":
        from huggingface_hub import HfApi

        return HfApi(os.environ.get("HF_ENDPOINT"))  # the client itself reads the variable only when it is imported

    def asked(self, what: str, call: "Callable[[HfApi], Any]") -> Any:
        """What a request gives that is made through the Hub's client; `what` is for messages. Raises as `revisions`."""
        return self._ask(lambda: call(self._api), what)

    def _ask(self, call: Callable[[], Any], what: str) -> Any:
        """The call's result. Raises ValueError if the model does not exist or access to it is denied."""
        from huggingface_hub import errors

        try:
            return patiently(call, f"{self.repository}: {what}", self.patience)
        except errors.GatedRepoError as error:
            raise ValueError(f"models: {self.repository} is gated; accept its terms and set HF_TOKEN") from error
        except errors.RepositoryNotFoundError as error:
            raise ValueError(f"models: {self.repository} is not on the Hub, or private (HF_TOKEN)") from error
