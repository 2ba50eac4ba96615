"""The readouts of a plane: the texts that they are fitted on, and the fits, which are kept beside the vectors.

No text on which an arm is selected or reported is used, unless a person names a file that holds it.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from tl_search.plane.arm import Arm
from tl_search.plane.readout import Readouts
from tl_search.plane.revision import Revision
from tl_search.probe.embed import column_key
from tl_search.probe.readout import Map, fit, needed_texts
from tl_search.search.measure import draw
from tl_search.search.texts import SuiteTexts
from tl_search.store.arrays import ArrayStore
from tl_search.store.keys import digest, texts_digest

log = logging.getLogger(__name__)

# Increased when the code changes so that the same vectors give another map.
RULES = 1
MOST_CHARACTERS = 10**8


@dataclass(frozen=True)
class FittedReadouts:
    """Fits readouts on a plane's vectors, once each.

    Args:
        texts: What they are fitted on, in a fixed order, each once.
        store: Where the maps are kept.
        among_scored: How many of the texts are scored, too: the readouts are then transductive.
    """

    texts: tuple[str, ...]
    store: ArrayStore
    among_scored: int = 0
    _columns: dict[Revision, str] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def digest(self) -> str:
        """Of the texts and their order."""
        return texts_digest(self.texts)

    def map(self, arm: Arm, states: Callable[[], Sequence[np.ndarray]]) -> Map:
        """The map of an arm's readout.

        Args:
            arm: Its readout is not raw.
            states: The vectors of the texts at the readout's layers, asked for only where the map is not kept.

        Raises:
            ValueError: it cannot be fitted on these texts.
        """
        key = self.key(arm)
        kept = self.store.get(key)
        if kept is not None and Map.is_one(kept):
            self.store.touch(key)
            return Map.of(kept)
        try:
            found = fit(arm.readout, states())
        except ValueError as error:
            raise ValueError(f"{arm.label}: {error}") from error
        self.store.put(key, found.arrays(), {"arm": arm.label, "texts": self.digest})
        return found

    def key(self, arm: Arm) -> str:
        """Under which the store has the map of an arm's readout, which is not raw."""
        if arm.revision not in self._columns:
            self._columns[arm.revision] = column_key(arm.revision, arm.extraction, self.texts)
        column = self._columns[arm.revision]
        return digest({"column": column, "layer": arm.layer, "readout": arm.readout.identity(), "rules": RULES}, 32)


def fitted_readouts(
    settings: Readouts,
    training: Callable[[], Mapping[str, Sequence[str]]],
    suites: Iterable[SuiteTexts],
    n_layers: int,
    embeddings: Path,
) -> FittedReadouts | None:
    """The readouts of a search; None where there is only raw.

    Args:
        settings: Which readouts there are, and which texts they are fitted on.
        training: Task → its training texts; asked for unless a person gave texts.
        suites: What arms are selected and reported on. These texts are left out of what is drawn from training splits,
            and counted in what a person gave.
        n_layers: Blocks of the model.
        embeddings: Folder of all vectors; the maps are below it.

    Raises:
        ValueError: there are no texts, or too few; or a window has more layers than there are.
    """
    if len(settings.used) == 1:
        return None
    check_windows(settings, n_layers)
    found = _texts(settings, training, _judged(suites))
    _check_ranks(settings, found.texts)
    return FittedReadouts(found.texts, maps(embeddings), found.among_scored)


def unused_texts(
    fitted: FittedReadouts, training: Mapping[str, Sequence[str]], suites: Iterable[SuiteTexts]
) -> dict[str, tuple[str, ...]]:
    """Task → its training texts that no readout is fitted on, and that no arm is selected or reported on.

    White space around a text makes no other text of it.
    """
    used = {text.strip() for text in (*fitted.texts, *_judged(suites))}
    return {task: tuple(text for text in found if text.strip() not in used) for task, found in training.items()}


def maps(embeddings: Path) -> ArrayStore:
    """Where the maps of all readouts are kept, below the folder of all vectors."""
    return ArrayStore(embeddings / "readouts")


def check_windows(settings: Readouts, n_layers: int) -> None:
    """Raises ValueError for a window of more layers than a model of so many blocks has."""
    for readout in settings.used:
        if readout.window is not None and readout.window > n_layers + 1:
            what = f"the window of {readout.name} must be <= {n_layers + 1}, the number of layers"
            raise ValueError(f"readout.entries: {what}, got {readout.window}")


def check_own_texts(settings: Readouts) -> None:
    """Raises ValueError for a file of a person's own texts that cannot be read, or has too few for a rank."""
    if settings.texts is not None:
        _check_ranks(settings, _own_texts(settings.texts))


def without_texts(tasks: Iterable[str]) -> str:
    """The error message where no task has a text that readouts may be fitted on."""
    return (
        f"readout: is fitted on texts of training splits, and none of {', '.join(tasks)} has one that is not scored; "
        "give texts of your own with readout.texts=FILE, or set readout=[raw]"
    )


def _check_ranks(settings: Readouts, texts: Sequence[str]) -> None:
    for readout in settings.used:
        if readout.rank is not None and len(texts) < (least := needed_texts(readout, readout.rank)):
            more = "readout.texts_per_task draws more" if settings.texts is None else f"{settings.texts} needs more"
            what = f"{readout.name} needs at least {least} texts to be fitted on, got {len(texts)}"
            raise ValueError(f"readout.entries: {what}; {more}")


@dataclass(frozen=True)
class _Texts:
    """What readouts are fitted on, and how many of them are scored, too."""

    texts: tuple[str, ...]
    among_scored: int = 0


def _texts(settings: Readouts, training: Callable[[], Mapping[str, Sequence[str]]], held: set[str]) -> _Texts:
    if settings.texts is not None:
        texts = _own_texts(settings.texts)
        among = sum(text in held for text in texts)
        if among:
            log.warning("readout.texts: %d of %d texts are scored, too; readouts are transductive", among, len(texts))
        return _Texts(texts, among)
    free = {task: [text for text in found if text not in held] for task, found in training().items()}
    drawn, _ = draw(free, settings.texts_per_task, settings.seed)
    if not drawn:
        raise ValueError(without_texts(free))
    return _Texts(drawn)


def _judged(suites: Iterable[SuiteTexts]) -> set[str]:
    from tl_search.scoring.training_texts import judged_texts

    found: set[str] = set()
    for suite in suites:
        for task in suite.tasks:
            judged = judged_texts(task)
            found.update(suite.texts[task.name] if judged is None else judged)
    return found


def _own_texts(path: Path) -> tuple[str, ...]:
    if path.exists() and not path.is_file():
        raise ValueError(f"readout.texts: {path}: must be a file of texts, one a line")
    try:
        with path.open(encoding="utf-8", errors="strict") as file:
            lines = file.read(MOST_CHARACTERS).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no UTF-8 text"
        raise ValueError(f"readout.texts: {path}: {reason}") from error
    texts = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not texts:
        raise ValueError(f"readout.texts: {path}: must have a text on every line, and has none")
    return texts
