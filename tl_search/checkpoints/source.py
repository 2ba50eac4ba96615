"""What every source of revisions owes to a search."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from tl_search.plane.revision import Revision, step_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a model.

    Args:
        n_layers: Number of blocks L; layers are 0..L.
        width: Dimensions of a hidden state.
        parameters: Of the forward pass that gives hidden states, so without a language-model head.
    """

    n_layers: int
    width: int
    parameters: int


class CheckpointSource(Protocol):
    """Revisions of one model, and their files."""

    @property
    def model(self) -> str:
        """Name of the model that all revisions belong to."""
        ...

    def revisions(self) -> tuple[Revision, ...]:
        """By rising step, digests known, of equal ones one."""
        ...

    def fetch(self, revision: Revision) -> Path:
        """A local folder with config.json, weights and tokenizer, verified."""
        ...

    def shape(self) -> ModelShape:
        """The model's sizes, known without its weights."""
        ...


def from_names(contents: Mapping[str, tuple[str, str]]) -> tuple[Revision, ...]:
    """Revisions of which only name → digests (weights, tokenizer) is known; the step is in the name.

    A `main` that is none of the steps is taken to be one step later than the last. Other names are left out, with a
    warning.
    """
    steps = {name: step_of(name) for name in contents}
    known = {name: step for name, step in steps.items() if step is not None}
    if "main" in contents:
        known["main"] = max(known.values(), default=-1) + 1
    for name in sorted(contents.keys() - known.keys()):
        log.warning("%s: left out, since its name says no step (as step1000 does)", name)
    return in_training_order(Revision(name, step, None, *contents[name]) for name, step in known.items())


def in_training_order(revisions: Iterable[Revision]) -> tuple[Revision, ...]:
    """By rising step; of revisions with equal weights and tokenizer one is kept: named by its step, at the latest.

    `main` is most often a second name of the last step. Any other copies are a fault of the run or of its
    publication (Pythia 2.8b was published with 76 copies of its end: a copy is more often of a later step than of
    an earlier one), so they are logged.

    Raises:
        ValueError: two different models claim one step.
    """
    kept: dict[tuple[str, str], Revision] = {}
    copies: dict[tuple[str, str], list[str]] = {}
    for revision in sorted(revisions, key=lambda revision: (step_of(revision.name) is not None, revision.step)):
        content = (revision.weights, revision.tokenizer)
        if content in kept and step_of(kept[content].name) is not None:
            copies.setdefault(content, []).append(kept[content].name)
        kept[content] = revision
    for content, names in copies.items():
        log.warning("%s: the same weights as %s, searched once", ", ".join(names), kept[content].name)
    ordered = tuple(sorted(kept.values(), key=lambda revision: revision.step))
    for earlier, later in pairwise(ordered):
        if earlier.step == later.step:
            raise ValueError(f"revisions: {earlier.name} and {later.name} differ but are both of step {later.step}")
    return ordered


def shape_of(folder: Path) -> ModelShape:
    """The sizes of the model that a folder's config.json describes; no weights are read."""
    import torch
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModel.from_config(config, attn_implementation="eager", trust_remote_code=False)
    # a pooler hangs behind the last block and is not computed
    parameters = sum(weight.numel() for name, weight in model.named_parameters() if not name.startswith("pooler."))
    return ModelShape(config.num_hidden_layers, config.hidden_size, parameters)
