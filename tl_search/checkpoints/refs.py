"""Where the checkpoints of a model lie: on the Hub, as its family publishes them, or in the Hub's cache."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tl_search.checkpoints.cache import HubCache, cached_repositories
from tl_search.checkpoints.family import Family, Published
from tl_search.checkpoints.naming import Naming
from tl_search.checkpoints.repository import Repository


@dataclass(frozen=True)
class Ref:
    """Where a checkpoint lies.

    Args:
        repository: `ORGANISATION/NAME`; another one for each checkpoint where they are sibling repositories.
        commit: The commit that holds it, 40 hex digits.
    """

    repository: str
    commit: str


def on_the_hub(hub: Repository, family: Family | None) -> dict[str, Ref]:
    """Name → place, of all branches and tags, and of commits or sibling repositories if that is how a family publishes.

    Raises:
        RefusedError: there is no such model, or access to it is denied.
        UnreachableError: the Hub did not answer.
    """
    if family is not None and family.published is Published.repositories:
        return _siblings(hub, family)
    heads = hub.commits()
    found = {name: Ref(hub.name, commit) for name, commit in heads.items()}
    if family is not None and family.published is Published.commits:
        found |= _titled(hub, family, heads)
    return found


def in_the_cache(hub: Repository, family: Family | None) -> dict[str, Ref]:
    """The same of what is in the cache, with weights, without a network."""
    if family is None or family.published is not Published.repositories:
        return {name: Ref(hub.name, commit) for name, commit in hub.cache.named.items()}
    prefix, found = f"{hub.name}-", {}
    for repository in cached_repositories(hub.access.cache, prefix):
        named = HubCache(hub.access.cache, repository).named
        if named:
            found[repository.removeprefix(prefix)] = Ref(repository, named.get("main", next(iter(named.values()))))
    return found


def _siblings(hub: Repository, family: Family) -> dict[str, Ref]:
    """Checkpoints that are repositories of their own, by what follows the model's name in theirs."""
    prefix = f"{hub.name}-"
    models = hub.asked(
        "its sibling repositories",
        lambda api: list(api.list_models(author=family.organisation, search=prefix.partition("/")[2], full=True)),
    )
    names = {model.id.removeprefix(prefix): model for model in models if model.id.startswith(prefix)}
    return {name: Ref(model.id, hub.checked(name, model.sha)) for name, model in names.items()}


def _titled(hub: Repository, family: Family, branches: Iterable[str]) -> dict[str, Ref]:
    """Checkpoints that are commits, by their titles; of two with one name, the newest on the first branch."""
    found: dict[str, Ref] = {}
    model = hub.name.rpartition("/")[2]
    for branch in sorted(branches, key=lambda branch: (branch == "main", branch)):
        for commit, title in hub.history(branch):
            for naming, step in _told(family.names, title):
                name = naming.name(naming.at(step, model), model)
                found.setdefault(str(name), Ref(hub.name, hub.checked(str(name), commit)))
    return found


def _told(names: Iterable[Naming], title: str) -> Iterator[tuple[Naming, int]]:
    """The patterns that a commit's title fits, with the step that it tells."""
    for naming in names:
        pattern = re.escape(naming.title or "").replace(re.escape("{step}"), r"(\d+)")
        said = re.fullmatch(pattern, title.strip())
        if naming.title and said:
            yield naming, int(said[1])
