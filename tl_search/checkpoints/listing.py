"""What the Hub lists of a model's checkpoints, wherever its family publishes them, by the family's names for them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tl_search.checkpoints import registry
from tl_search.checkpoints.family import Family, Published
from tl_search.checkpoints.hub import HubCheckpoints
from tl_search.checkpoints.offered import Offer, told
from tl_search.checkpoints.source import has_place
from tl_search.plane.revision import Revision, check_name, step_of, tokens_of


@dataclass(frozen=True)
class Ref:
    """Where a checkpoint lies on the Hub.

    Args:
        repository: `ORGANISATION/NAME`; another one for each checkpoint where they are sibling repositories.
        commit: The commit that holds it.
    """

    repository: str
    commit: str


@dataclass(frozen=True)
class Listing:
    """The checkpoints of one model on the Hub.

    Args:
        refs: Name → place on the Hub, for names that tell a place in training, and for `main`.
        others: Names of branches and tags that are none, sorted.
        offer: Those on one time axis.
    """

    refs: Mapping[str, Ref]
    others: tuple[str, ...]
    offer: Offer

    @property
    def lacking(self) -> tuple[str, ...]:
        """The checkpoints that the registry is certain of and the Hub does not have."""
        family, model = self.offer.family, self.offer.name
        known = family.known(model) if family is not None and family.certain else ()
        return tuple(checkpoint.name for checkpoint in known if checkpoint.name not in self.refs)


def listed(source: HubCheckpoints, repository: str) -> Listing:
    """What the Hub has of a model.

    Args:
        source: How the Hub is asked; its cache and its patience are used.
        repository: The model.

    Raises:
        ValueError: there is no such model, or access to it is denied.
        UnreachableError: the Hub did not answer.
    """
    family = registry.family_of(repository)
    hub = HubCheckpoints((repository,), cache=source.cache, patience=source.patience)
    published = family.published if family is not None else Published.branches
    if published is Published.repositories and family is not None:
        found = _siblings(hub, family)
    else:
        refs = hub.asked("its branches", lambda api: api.list_repo_refs(repository))
        found = {ref.name: Ref(repository, ref.target_commit) for ref in [*refs.tags, *refs.branches]}
        if published is Published.commits and family is not None:
            found |= _commits(hub, family, refs.branches)
    model = repository.rpartition("/")[2]
    placed = {name: ref for name, ref in found.items() if name == "main" or _is_place(name, family, model)}
    sizes, notes = (family.models.get(model), told(family, model)) if family else (None, ())
    offer = Offer(repository, _on_the_axis(placed, family, model), sizes, family, True, notes)
    return Listing(dict(sorted(placed.items())), tuple(sorted(found.keys() - placed.keys())), offer)


def position(name: str, family: Family | None, model: str) -> int | None:
    """Steps from the beginning of training that a name tells; None of one without a place on the time axis."""
    return family.position(name, model) if family is not None else step_of(name)


def _is_place(name: str, family: Family | None, model: str) -> bool:
    return has_place(name) if family is None else family.place(name, model) is not None


def _on_the_axis(refs: Mapping[str, Ref], family: Family | None, model: str) -> tuple[Revision, ...]:
    """Revisions in training order; `main` only where no other name has its step; the last one if no step is told."""
    steps = {name: step for name in refs if name != "main" and (step := position(name, family, model)) is not None}
    if "main" in refs and (family is None or family.main):
        last = position("main", family, model) if family is not None else None
        if last is None:
            steps["main"] = max(steps.values(), default=-1) + 1
        elif last not in steps.values():
            steps["main"] = last
    by_step = {steps[name]: name for name in sorted(steps, reverse=True)}
    return tuple(Revision(check_name(by_step[step]), step, _tokens(by_step[step], family, model))
                 for step in sorted(by_step))  # fmt: skip


def _tokens(name: str, family: Family | None, model: str) -> int | None:
    if family is None:
        return tokens_of(name)
    place = family.place(name, model)
    return place.tokens if place else None


def _commits(hub: HubCheckpoints, family: Family, branches: Any) -> dict[str, Ref]:
    """Checkpoints that are commits, by their titles; of two with one name, the newest on the first branch."""
    found: dict[str, Ref] = {}
    for branch in sorted(branches, key=lambda branch: (branch.name == "main", branch.name)):
        for commit in _of_branch(hub, branch.name):
            for naming in family.names:
                pattern = re.escape(naming.title or "").replace(re.escape("{step}"), r"(\d+)")
                said = re.fullmatch(pattern, commit.title.strip())
                if naming.title and said:
                    name = naming.name(naming.at(int(said[1]), hub.model), hub.model)
                    found.setdefault(str(name), Ref(hub.repository, commit.commit_id))
    return found


def _of_branch(hub: HubCheckpoints, branch: str) -> Any:
    return hub.asked(f"the commits of {branch}", lambda api: api.list_repo_commits(hub.repository, revision=branch))


def _siblings(hub: HubCheckpoints, family: Family) -> dict[str, Ref]:
    """Checkpoints that are repositories of their own, by what follows the model's name in theirs."""
    prefix = f"{hub.repository}-"
    models = hub.asked(
        "its sibling repositories",
        lambda api: list(api.list_models(author=family.organisation, search=prefix.partition("/")[2], full=True)),
    )
    return {model.id.removeprefix(prefix): Ref(model.id, model.sha or "main") for model in models
            if model.id.startswith(prefix)}  # fmt: skip
