"""The revisions of a model that are published on the Hugging Face Hub as branches and tags named by their step."""

import logging
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tl_search.checkpoints import registry
from tl_search.checkpoints.cache import GB, HubCache
from tl_search.checkpoints.content import Content, folder_contents
from tl_search.checkpoints.family import Family, Published
from tl_search.checkpoints.repository import MissingError, RefusedError, Repository, UnreadableError
from tl_search.checkpoints.source import NAMED, ModelShape, from_names, in_the_name, left_out, shape_of
from tl_search.checkpoints.weights import check_weights
from tl_search.errors.kinds import BadInput
from tl_search.errors.limits import MOST_SECONDS, between, not_negative
from tl_search.plane.revision import Revision
from tl_search.runs import digests, trusted
from tl_search.store.keys import check_name
from tl_search.store.manifest import DamagedError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

# Requests at a time while revisions are listed.
_REQUESTS = 8
_fetching = threading.Lock()  # so that two downloads do not both count on the same room
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HubCheckpoints:
    """Branches and tags named by their step (`step1000`, `step200-tokens1B`, …), and `main`.

    Their commits are looked up once and used from then on. The digests of a revision come from the checksums that the
    Hub lists, so no weights are downloaded for them. The environment variable HF_TOKEN gives the token for gated
    models, HF_ENDPOINT the address of another server. With HF_HUB_OFFLINE=1 the revisions are those in the cache.

    Args:
        models: `pythia-410m`, or with its organisation: `EleutherAI/pythia-410m`. A search takes exactly one.
        cache: The folder for downloads; None uses the Hub client's own cache.
        cache_gb: GB (10^9 bytes), > 0, that the model's revisions may take in the cache. Before one more is downloaded,
            the weights of those are removed whose last use is longest ago and that no process uses. None: no limit.
        allow_pickle: Whether revisions may be read that are only published as `.bin` files.
        strict_revisions: Whether a revision that is missing or cannot be read ends the command.
        only_main: Whether it is enough when nothing but `main` is there.
        patience: Seconds, >= 0, for which one failing request is repeated before the Hub counts as unreachable.
        silence: Seconds, > 0 and at most 120, without a new byte after which the Hub counts as unreachable.
        file_timeout: Seconds, > 0, in which one file must be downloaded.
        suspects: Whether revisions are kept that have a shard of another step.
        family: The name of a family in the registry, all models of which are meant instead of `models`.
    """

    models: tuple[str, ...] = ("pythia-410m",)
    organisation: str = "EleutherAI"
    cache: str | None = None
    cache_gb: float | None = None
    allow_pickle: bool = True
    strict_revisions: bool = False
    only_main: bool = False
    patience: float = 300.0
    silence: float = 120.0
    file_timeout: float = 14400.0
    suspects: bool = False
    family: str | None = None

    DECIDES: ClassVar = {
        "files": "models organisation cache patience suspects family",
        "free": "cache_gb allow_pickle strict_revisions only_main silence file_timeout",
    }

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(self.models))
        if not self.models:
            raise ValueError("models: must be at least one, got none")
        part = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
        for repository in self.repositories:
            if not re.fullmatch(f"{part}/{part}", repository) or ".." in repository:
                raise ValueError(f"models: must be named like EleutherAI/pythia-410m, got {repository!r}")
        not_negative(MOST_SECONDS, patience=self.patience)
        if not 0 < self.silence <= 120:
            raise ValueError(f"silence: must be > 0 and at most 120, got {self.silence}")
        for name, value in (("file_timeout", self.file_timeout), ("cache_gb", self.cache_gb)):
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name}: must be a finite number > 0, got {value}")
        between(0, MOST_SECONDS, file_timeout=self.file_timeout, cache_gb=self.cache_gb)

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

    @property
    def remote(self) -> str:
        """What is fetched from the Hub."""
        return self.repository

    def revisions(self) -> tuple[Revision, ...]:
        """The revisions that have weights; others are left out with a warning.

        Raises:
            ValueError: there is no such model, access to it is denied, or its revisions are not what the settings ask.
            UnreachableError: the Hub did not answer.
        """
        return self._revisions

    @cached_property
    def _revisions(self) -> tuple[Revision, ...]:
        _ = self._family  # one that a search cannot use is refused before anything is asked
        contents = self._cached() if self._offline else self._listed()
        found = from_names(contents, self.suspects, self._place)
        if not found:
            raise ValueError(
                f"checkpoints.models: {self.repository} has no branches with weights that are named {NAMED}"
            )
        if [revision.name for revision in found] == ["main"] and not self.only_main:
            raise ValueError(
                f"checkpoints.models: of {self.repository} nothing but main can be read, which is one checkpoint "
                "and no training; checkpoints.only_main=true takes it alone"
            )
        return found

    def _listed(self) -> dict[str, Content]:
        commits, hub = self._commits, self._hub
        hub.failed = None

        def content(name: str) -> Content | None:
            try:
                return self._content(name)
            except Exception as error:
                hub.failed = error
                raise

        with ThreadPoolExecutor(_REQUESTS) as pool:
            found = dict(zip(commits, pool.map(content, commits), strict=True))
        hub.failed = None
        contents = {name: content for name, content in found.items() if content is not None}
        kinds = {name: hub.weights(commits[name], name) for name in contents}
        check_weights(self.repository, kinds, self.allow_pickle, self.cache_gb)
        return contents

    def _cached(self) -> dict[str, Content]:
        """The contents of what is in the cache, read from the files themselves."""
        names = sorted(name for name in self._cache.named if name == "main" or self._place(name))
        if not names:
            self._hub.commits()  # which says that there is no asking
        log.info("%s: offline, %d revisions in the cache %s", self.repository, len(names), self._cache.root)
        return folder_contents({name: self._cache.snapshot(self._cache.named[name]) for name in names})

    def fetch(self, revision: Revision) -> Path:
        """The revision's folder in the cache; files that are missing there are downloaded.

        Raises:
            DamagedError: the files differ from what the Hub lists, also after a second download; or the revision was
                removed from the Hub.
            BadInput: access is denied; or the same as above, if `strict_revisions`.
            UnreachableError: the Hub did not answer.
            OSError: the disk, or `cache_gb`, is full.
        """
        if revision.name not in self._commits:
            raise ValueError(f"revision: {revision.name} is not a revision of {self.repository}")
        try:
            turn = _fetching if self.cache_gb is not None else nullcontext()
            with turn, self._cache.held(self._commits[revision.name]):
                return self._fetched(revision)
        except RefusedError as error:  # not a fault of this revision alone
            raise BadInput(str(error)) from error
        except DamagedError as error:
            if self.strict_revisions:
                raise BadInput(f"{error} (checkpoints.strict_revisions=true)") from error
            raise

    def _fetched(self, revision: Revision) -> Path:
        name, commit = revision.name, self._commits[revision.name]
        folder = self._cache.snapshot(commit)
        self._code(commit, name)
        for again in (False, True):
            if not self._offline:
                try:
                    self._complete(name, commit, again)
                except MissingError as error:
                    raise DamagedError(str(error)) from error
            with suppress(ValueError):  # no weights: another process has removed them in this moment
                if digests.folder_digests(folder) == (revision.weights, revision.tokenizer):
                    with self._cache.settled():
                        if digests.is_model(folder):
                            self._cache.name(name, commit)
                            return folder
        raise DamagedError(f"{folder}: {name} is not what the Hub lists, though it was downloaded twice")

    def _complete(self, name: str, commit: str, again: bool) -> None:
        """Download a commit's files that are not in the cache; with `again` also those that are."""
        weights = self._hub.weights(commit, name)
        if self.cache_gb is not None:
            wait = self.patience if self._cache.is_used(commit) else 0.0  # what is fetched ahead can wait
            last = self._commits[self._revisions[-1].name]
            self._cache.make_room(self._cache.missing(weights.values()), self.cache_gb * GB, last, wait)
        for file in (*self._code(commit, name), *self._hub.others(commit, name), *weights):
            self._hub.download(commit, name, file, again)

    def _code(self, commit: str, name: str) -> list[str]:
        """The files of the model's own code, if the person lets it run; from now on it may be run."""
        may_run = trusted.grant(self.repository, commit, self._cache.snapshot(commit))
        return self._hub.code(commit, name) if may_run and not self._offline else []

    def using(self, revision: Revision) -> bool:
        """Say that this process works with a revision from now on, so that no process removes its weights.

        Returns:
            Whether its weights are in the cache.
        """
        return revision.name in self._commits and self._cache.use(self._commits[revision.name])

    def shape(self) -> ModelShape:
        name = self._revisions[-1].name
        for file in self._code(self._commits[name], name):
            self._hub.download(self._commits[name], name, file)
        return shape_of(self._hub.download(self._commits[name], name, digests.CONFIG).parent)

    @cached_property
    def _commits(self) -> Mapping[str, str]:
        """Revision's name → commit, ordered by name. Kept, because a branch may change while a search runs."""
        if self._offline:
            return self._cache.named
        family, commits = self._family, self._hub.commits()
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
                f"checkpoints.models: the checkpoints of {family.title} are {family.published.value} of their own, "
                "which a search cannot use yet; download them into folders named by their step, and search "
                "checkpoints=folder"
            )
        return family

    def _content(self, name: str) -> Content | None:
        """What a revision's files hold; None when it is missing or cannot be read, which is told."""
        try:
            return self._hub.content(self._commits[check_name(name, "revision", folders=True)], name)
        except MissingError:  # HTTP 404; other errors are raised
            why = f"{self.repository} no longer has it"
        except UnreadableError as error:
            why = f"in {self.repository} {error}"
        if self.strict_revisions:
            raise ValueError(f"checkpoints.strict_revisions: must be false to go on without {name}; {why}")
        left_out([name], why)
        return None

    @property
    def _offline(self) -> bool:
        from huggingface_hub import constants

        return constants.is_offline_mode()

    def asked(self, what: str, call: "Callable[[HfApi], Any]") -> Any:
        """What a request gives that is made through the Hub's client; `what` is for messages. Raises as `revisions`."""
        return self._hub.asked(what, call)

    @cached_property
    def _hub(self) -> Repository:
        return Repository(self.repository, self.cache, self.patience, self.silence, self.file_timeout)

    @cached_property
    def _cache(self) -> HubCache:
        return HubCache(self.cache, self.repository)
