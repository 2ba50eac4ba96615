"""The revisions of a model that are published on the Hugging Face Hub, as its family publishes them."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from tl_search.checkpoints import refs, registry
from tl_search.checkpoints.content import Content, folder_contents
from tl_search.checkpoints.described import contents
from tl_search.checkpoints.family import Family, Published
from tl_search.checkpoints.fetching import fetched
from tl_search.checkpoints.quota import Quota
from tl_search.checkpoints.refs import Ref
from tl_search.checkpoints.repository import Access, RefusedError, Repository, offline
from tl_search.checkpoints.source import NAMED, ModelShape, from_names, in_the_name, left_out, shape_of
from tl_search.checkpoints.weights import check_weights
from tl_search.errors.kinds import BadInput
from tl_search.errors.limits import MOST_SECONDS, between
from tl_search.plane.revision import Revision
from tl_search.runs import digests
from tl_search.store.keys import is_name
from tl_search.store.manifest import DamagedError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HubCheckpoints:
    """Branches and tags named by their step (`step1000`, `step200-tokens1B`, …), and `main`.

    Models of a family in the registry have what the family publishes: branches or tags with names of its own, commits
    with titles, or sibling repositories.

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
        if not re.fullmatch(part, self.organisation) or ".." in self.organisation:
            raise ValueError(f"organisation: must be a name like EleutherAI, got {self.organisation!r}")
        for repository in self.repositories:
            if not re.fullmatch(f"{part}/{part}", repository) or ".." in repository:
                raise ValueError(f"models: must be named like EleutherAI/pythia-410m, got {repository!r}")
        if not 0 <= self.patience < float("inf"):
            raise ValueError(f"patience: must be a finite number >= 0, got {self.patience}")
        if not 0 < self.silence <= 120:
            raise ValueError(f"silence: must be > 0 and at most 120, got {self.silence}")
        for name, value in (("file_timeout", self.file_timeout), ("cache_gb", self.cache_gb)):
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name}: must be a finite number > 0, got {value}")
        between(0, MOST_SECONDS, patience=self.patience, file_timeout=self.file_timeout, cache_gb=self.cache_gb)

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

    @property
    def access(self) -> Access:
        """How the Hub is asked."""
        return Access(self.cache, self.patience, self.silence, self.file_timeout)

    def revisions(self) -> tuple[Revision, ...]:
        """The revisions that have weights; others are left out with a warning.

        Raises:
            ValueError: there is no such model, access to it is denied, or its revisions are not what the settings ask.
            UnreachableError: the Hub did not answer.
        """
        return self._found[0]

    def skipped(self) -> tuple[Revision, ...]:
        """The checkpoints that `revisions` leaves out since they are missing, unreadable or suspect, by rising step.

        Raises as `revisions`.
        """
        return self._found[1]

    @cached_property
    def _found(self) -> tuple[tuple[Revision, ...], tuple[Revision, ...]]:
        held, lost = self._cached() if offline() else self._listed()
        found, suspect = from_names(held, self.suspects, self._place)
        if not found:
            near = registry.near(self.repository) if self._family is None else ""
            raise ValueError(f"checkpoints.models: {self.repository} has no {self._checkpoints}{near}")
        if [revision.name for revision in found] == ["main"] and not self.only_main:
            raise ValueError(
                f"checkpoints.models: of {self.repository} nothing but main can be read, which is one checkpoint "
                "and no training; checkpoints.only_main=true takes it alone"
            )
        last = found[-1].step + 1
        places = {name: self._place(name) or (last, None) for name in lost if name != "main" or self._has_main}
        unread = [Revision(name, step, tokens) for name, (step, tokens) in places.items()]
        return found, tuple(sorted((*suspect, *unread), key=lambda revision: revision.step))

    def _listed(self) -> tuple[dict[str, Content], dict[str, str]]:
        """What the Hub's list says of the revisions, and of the unreadable ones why; these are told."""
        places, self._hub.failures[:] = self._refs, []
        held, lost = contents(self._hubs, places, self.strict_revisions)
        for name, why in lost.items():
            left_out([name], why)
        kinds = {name: self._hub_of(name).weights(places[name].commit, name) for name in held}
        check_weights(self.repository, kinds, self.allow_pickle, self.cache_gb)
        return held, lost

    def _cached(self) -> tuple[dict[str, Content], dict[str, str]]:
        """The same of what is in the cache, read from the files themselves."""
        if not self._refs:
            self._hub.commits()  # which says that there is no asking
        root = self._hub.cache.root
        log.info("%s: offline, %d revisions in the cache %s", self.repository, len(self._refs), root)
        folders = {name: self._hub_of(name).cache.snapshot(ref.commit) for name, ref in sorted(self._refs.items())}
        return folder_contents(folders), {}

    def fetch(self, revision: Revision) -> Path:
        """The revision's folder in the cache; files that are missing there are downloaded.

        Raises:
            DamagedError: the files differ from what the Hub lists, also after a second download; or the revision was
                removed from the Hub.
            BadInput: access is denied; or the same as above, if `strict_revisions`.
            UnreachableError: the Hub did not answer.
            OSError: the disk, or `cache_gb`, is full.
        """
        ref = self._refs.get(revision.name)
        if ref is None:
            raise ValueError(f"revision: {revision.name} is not a revision of {self.repository}")
        hub = self._hubs[ref.repository]

        def room() -> None:
            needed, parts = hub.cache.missing(hub.weights(ref.commit, revision.name).values())
            wait = self.patience if hub.cache.is_used(ref.commit) else 0.0  # what is fetched ahead can wait
            last = self._refs[self.revisions()[-1].name].commit
            self._quota(self.cache_gb or 0.0).make_room(needed, parts, last, wait)

        try:
            folder = fetched(hub, revision, ref, room if self.cache_gb is not None else None)
        except RefusedError as error:  # not a fault of this revision alone
            raise BadInput(str(error)) from error
        except DamagedError as error:
            if self.strict_revisions:
                raise BadInput(f"{error} (checkpoints.strict_revisions=true)") from error
            raise
        hub.cache.name("main" if ref.repository != self.repository else revision.name, ref.commit)
        return folder

    def _quota(self, limit: float) -> Quota:
        return Quota([hub.cache for hub in self._hubs.values()], limit)

    def using(self, revision: Revision) -> bool:
        """Say that this process works with a revision from now on, so that no process removes its weights.

        Returns:
            Whether its weights are in the cache.
        """
        ref = self._refs.get(revision.name)
        if ref is None:
            return False
        here = self._hubs[ref.repository].cache.use(ref.commit)
        for name, hub in self._hubs.items():
            if name != ref.repository:
                hub.cache.leave()
        return here

    def licence(self) -> str | None:
        """What the model's card names as its licence; None where it names none, or the Hub cannot be asked."""
        try:
            info = self._hub.asked("its licence", lambda api: api.model_info(self._hub.name))
        except (ValueError, OSError):
            return None
        named = getattr(info.card_data, "license", None)
        return named if isinstance(named, str) else None

    def shape(self) -> ModelShape:
        name = self.revisions()[-1].name
        hub, commit = self._hub_of(name), self._refs[name].commit
        for file in hub.code(commit, name):
            hub.download(commit, name, file)
        return shape_of(hub.download(commit, name, digests.CONFIG).parent)

    @cached_property
    def _refs(self) -> Mapping[str, Ref]:
        """Revision's name → place, ordered by name. Kept, because a branch may change while a search runs."""
        if offline():
            found = refs.in_the_cache(self._hub, self._family)
            return {name: found[name] for name in sorted(found) if self._is_one(name)}
        found = refs.on_the_hub(self._hub, self._family)
        placed = {name: found[name] for name in sorted(found) if self._is_one(name)}
        if self._family is None or self._family.published is not Published.repositories:  # others are other models
            named = NAMED if self._family is None else f"that of a checkpoint of {self._family.title} on one time axis"
            left_out(found.keys() - placed.keys(), f"the step is read from the name, which must be {named}")
        return placed

    def _is_one(self, name: str) -> bool:
        return name == "main" or (is_name(name) and self._place(name) is not None)

    def _place(self, name: str) -> tuple[int, int | None] | None:
        """(Step from the beginning of training, tokens if known) that a name tells, as its family means it."""
        family, model, alone = self._family, self.repository.rpartition("/")[2], in_the_name(name)
        if family is None or (alone is not None and family.position(name, model) == alone[0]):
            return alone  # tokens too, so that the plane of an earlier search is the same as now
        position, place = family.position(name, model), family.place(name, model)
        return None if position is None or place is None else (position, place.tokens)

    @property
    def _has_main(self) -> bool:
        """Whether the branch `main` is meant to hold a checkpoint."""
        family = self._family
        return family is None or family.position("main", self.repository.rpartition("/")[2]) is not None

    @property
    def _checkpoints(self) -> str:
        """What its checkpoints are on the Hub, for messages."""
        family = self._family
        if family is None:
            return f"branches with weights that are named {NAMED}"
        return f"{family.published.value} with weights that are named as {family.title} names its checkpoints"

    @cached_property
    def _family(self) -> Family | None:
        return registry.family_of(self.repository)

    @cached_property
    def _hub(self) -> Repository:
        return Repository(self.repository, self.access)

    @cached_property
    def _hubs(self) -> dict[str, Repository]:
        """The repositories of the model's revisions, by name."""
        names = dict.fromkeys(ref.repository for ref in self._refs.values())
        return {name: self._hub.beside(name) for name in names}

    def _hub_of(self, name: str) -> Repository:
        return self._hubs[self._refs[name].repository]
