"""What every source of revisions offers, and what sources share."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Protocol

from tl_search.checkpoints.content import Content, foreign
from tl_search.plane.revision import Revision, step_of, tokens_of
from tl_search.runs.model_files import check_config
from tl_search.runs.pretrained import empty_model

log = logging.getLogger(__name__)

# What a message says of a name that tells no step.
NAMED = "like step1000, checkpoint-500, global_step1000, step200-tokens1B, or main"
_TOLD = 12  # names in one warning


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a model.

    Args:
        n_layers: The number of blocks L; the layers are 0 to L.
        width: The number of dimensions of a hidden state.
        parameters: The number of parameters, without the language-model head.
    """

    n_layers: int
    width: int
    parameters: int


class CheckpointSource(Protocol):
    """The revisions of one model, and their files.

    A person's own class needs no base class. It should be a frozen dataclass, because its fields identify the search.
    """

    @property
    def model(self) -> str:
        """The name of the model, which is part of every arm's name."""
        ...

    def revisions(self) -> tuple[Revision, ...]:
        """All revisions with their digests, ordered by step; only one of those with equal files (`in_training_order`).

        Raises:
            ValueError: there are none, or the settings are wrong; the message is `field: must be X, got Y`.
        """
        ...

    def fetch(self, revision: Revision) -> Path:
        """A local folder with the revision's config.json, weights and tokenizer, whose digests have been checked.

        Raises:
            DamagedError: the files are not those of the revision.
        """
        ...

    def shape(self) -> ModelShape:
        """The model's sizes; this must be quick, so without loading weights (`shape_of`)."""
        ...


@dataclass(frozen=True)
class LocalCheckpoints(ABC):
    """A source whose revisions lie in folders of this machine; they are listed once.

    Args:
        path: The folder.
        suspects: Whether revisions are kept that have a shard of another step.
    """

    path: str
    suspects: bool = False

    DECIDES: ClassVar = {"files": "path suspects"}

    @abstractmethod
    def check(self) -> None:
        """Quickly see whether the folder is there and of no other kind. Raises ValueError, `path: must be X, got Y`."""

    @abstractmethod
    def listed(self) -> tuple[Revision, ...]:
        """The revisions, as `revisions` gives them, of a folder that has been checked."""

    @abstractmethod
    def folder(self, name: str) -> Path:
        """Of a revision."""

    @property
    def model(self) -> str:
        return Path(self.path).resolve().name

    def revisions(self) -> tuple[Revision, ...]:
        return self._revisions

    @cached_property
    def _revisions(self) -> tuple[Revision, ...]:
        try:
            self.check()
        except ValueError as error:
            raise ValueError(f"checkpoints.{error}") from error
        return self.listed()

    def shape(self) -> ModelShape:
        return shape_of(self.folder(self._revisions[-1].name))


def has_place(name: str) -> bool:
    """Whether a revision's name tells when in training it was saved."""
    return name == "main" or step_of(name) is not None


def left_out(names: Iterable[str], why: str) -> None:
    """Warn that revisions are left out, if there are any."""
    listed = sorted(names)
    if listed:
        more = f" and {len(listed) - _TOLD} more" if len(listed) > _TOLD else ""
        log.warning("%s%s: left out, since %s", ", ".join(listed[:_TOLD]), more, why)


def in_the_name(name: str) -> tuple[int, int | None] | None:
    """(Step, tokens if known) that a name tells by itself; None if it tells no step."""
    step = step_of(name)
    return None if step is None else (step, tokens_of(name))


def from_names(
    contents: Mapping[str, Content],
    suspects: bool = False,
    place: Callable[[str], tuple[int, int | None] | None] = in_the_name,
) -> tuple[tuple[Revision, ...], tuple[Revision, ...]]:
    """The revisions of a source that knows their steps only from their names; those that are left out as suspect.

    The step of `main` is the last step + 1, unless its files equal those of the last step.

    Args:
        contents: Revision's name → its content; every name but `main` tells a place.
        suspects: Whether revisions are kept that have a shard of a step far away (`without_suspects`).
        place: What a name tells.
    """
    places = {name: told for name in contents if name != "main" and (told := place(name)) is not None}
    if "main" in contents:
        places["main"] = max((step for step, _ in places.values()), default=-1) + 1, None
    listed = (
        Revision(name, step, tokens, contents[name].weights, contents[name].tokenizer)
        for name, (step, tokens) in places.items()
    )
    revisions = in_training_order(listed, {content.weights: content.same for content in contents.values()})
    return without_suspects(revisions, {name: content.parts for name, content in contents.items()}, suspects)


def without_suspects(
    revisions: Sequence[Revision], parts: Mapping[str, Sequence[str]], keep: bool = False
) -> tuple[tuple[Revision, ...], tuple[Revision, ...]]:
    """The revisions without those that have a file of weights of a step far away (`foreign`), with a warning; those.

    Args:
        revisions: In training order, no two alike.
        parts: Revision's name → sha256 of its files of weights.
        keep: Whether they are only named and stay.
    """
    strange = foreign(revisions, parts)
    for owner in sorted(set(strange.values())):
        names = [name for name in strange if strange[name] == owner]
        why = f"part of the weights is that of {owner}, but not in the steps between (a mistake in publishing?)"
        if keep:
            log.warning("%s: kept, though %s", ", ".join(names), why)
        else:
            left_out(names, f"{why}; checkpoints.suspects=true keeps such revisions")
    kept = tuple(revision for revision in revisions if keep or revision.name not in strange)
    return kept, tuple(revision for revision in revisions if revision not in kept)


def in_training_order(revisions: Iterable[Revision], same: Mapping[str, str] | None = None) -> tuple[Revision, ...]:
    """The revisions ordered by step, with only one of those whose weights and tokenizer are equal.

    `owner_of` says which one. Other copies are left out with a warning, but not `main` as a second name of the last
    step.

    Args:
        revisions: In any order.
        same: Digest of weights → what is compared instead, where that is not empty.

    Raises:
        ValueError: two different revisions have the same step.
    """
    listed = sorted(revisions, key=lambda revision: (revision.step, revision.name == "main"))
    places: dict[tuple[str, str], list[int]] = {}
    for place, revision in enumerate(listed):
        weights = (same or {}).get(revision.weights) or revision.weights
        places.setdefault((weights, revision.tokenizer), []).append(place)
    ordered = []
    for found in places.values():
        kept = owner_of(found, listed)
        ordered.append(kept)
        copies = [listed[place].name for place in found if listed[place] is not kept]
        left_out((name for name in copies if name != "main"), f"the weights are those of {kept.name}")
    ordered.sort(key=lambda revision: revision.step)
    for earlier, later in pairwise(ordered):
        if earlier.step == later.step:
            raise ValueError(f"{earlier.name} and {later.name} differ but are both of step {later.step}")
    return tuple(ordered)


def owner_of(places: Sequence[int], listed: Sequence[Revision]) -> Revision:
    """Of the revisions that hold the same: the one whose step it belongs to.

    - The final revision is never given up for an earlier one, but a `main` that equals the last step is that step.
    - Copies that run from step 0 belong to step 0: the first steps of a warm-up have a rate of 0 (in every Pythia).
    - Otherwise the latest: Pythia 2.8b was published with 76 copies of its last step under earlier names.

    Args:
        places: Their places in `listed`, rising.
        listed: All revisions in training order.
    """
    last = len(listed) - 1
    if places[-1] == last:
        second_name = listed[last].name == "main" and last - 1 in places
        return listed[last - 1 if second_name and listed[last - 1].name != "main" else last]
    return listed[places[0] if listed[0].step == 0 and list(places[:2]) == [0, 1] else places[-1]]


def shape_of(folder: Path) -> ModelShape:
    """The sizes of the (text) model in a folder, from its config.json; no weights are read.

    Raises:
        ValueError: config.json describes no model that transformers knows, or none with text in it.
    """
    check_config(folder)
    try:
        model = text_model(empty_model(folder))
        sizes = model.config.num_hidden_layers, model.config.hidden_size
    except Exception as error:  # the library builds what the file says, so it can be anything
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{folder / 'config.json'}: describes no model that can be probed ({reason})") from error
    # a pooler comes after the last block and is not used
    parameters = sum(weight.numel() for name, weight in model.named_parameters() if not name.startswith("pooler."))
    return ModelShape(*sizes, parameters)


def text_model(model: Any) -> Any:
    """The part of a transformers model that reads text: of one that also reads images, the language model in it.

    Raises:
        ValueError: its config nests a text model that the model does not have as one part.
    """
    from transformers import PreTrainedModel

    config = model.config.get_text_config()
    if config is model.config:
        return model
    parts = [part for part in model.modules() if isinstance(part, PreTrainedModel) and part.config is config]
    inner = {id(part) for found in parts for part in found.modules() if part is not found}
    outer = [part for part in parts if id(part) not in inner]
    if len(outer) != 1:
        raise ValueError(f"must be or contain one text model, got {type(model).__name__}, which has {len(outer)}")
    return outer[0]
