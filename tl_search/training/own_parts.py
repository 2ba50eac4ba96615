"""Errors of a person's own callbacks, loggers and optimizer, each in one line that begins with its place in the config.

What such a part raises is for its owner to mend, and no fault of the run, whose files are whole.
"""

import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from tl_search.errors.kinds import PartFailed
from tl_search.training.memory import is_memory

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

_LIBRARIES = ("lightning.", "torch.")
# Libraries write whole sentences into these; the class of any other error says more than its message.
_SENTENCES = ("MisconfigurationException", "ValueError", "ImportError", "ModuleNotFoundError", "RuntimeError")
# Of the errors of files, those for a person to mend; others, such as a full disk or no network, may pass.
_FILES = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)


def is_ours(part: object) -> bool:
    """Whether a part's class is in this package, so that its errors are ours to explain."""
    return type(part).__module__.startswith("tl_search.")


@contextmanager
def making(place: str, setting: object) -> Iterator[None]:
    """Within the block a part is made of its setting. Raises PartFailed for an error of a part that is not ours.

    Args:
        place: Where it stands in the config, such as `callbacks.early`.
    """
    try:
        yield
    except Exception as error:
        if is_ours(setting) or _has_a_meaning(error):
            raise
        raise PartFailed(f"{place}: {_words(error)}") from error


@contextmanager
def answering(
    parts: Callable[[], Iterable[tuple[str, object]]], trainer: "Trainer", start: int, folder: Path
) -> Iterator[None]:
    """Within the block a run trains. Raises PartFailed for an error that comes from a part, or from too little memory.

    Once a step is done, the traceback is kept in `traceback.log`: what has been trained may have taken long, and the
    part may be a person's own code.

    Args:
        parts: Gives all parts, each with its place in the config; asked only when there is an error.
        trainer: The run's.
        start: The step at which the training began.
        folder: The run directory.
    """
    try:
        yield
    except Exception as error:
        place = _culprit(error, parts()) or ("memory" if is_memory(error) else None)
        if place is None or _has_a_meaning(error):
            raise
        said, step = f"{place}: {_words(error)}", trainer.global_step
        if step > start:
            log = folder / "traceback.log"
            log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
            said += f", at step {step}; what was saved before is whole, and the traceback is in {log}"
        raise PartFailed(said, begun=step > start) from error


def _culprit(error: Exception, parts: Iterable[tuple[str, object]]) -> str | None:
    """The part, not one of ours, in whose method an error was raised; of several that call each other, the innermost.

    An optimizer's step calls the forward and the backward pass: what is raised in these is not the optimizer's.
    """
    from lightning.pytorch import LightningModule
    from lightning.pytorch.loops.optimization.closure import AbstractClosure

    foreign = [(place, part) for place, part in parts if not is_ours(part)]
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        owner = frame.f_locals.get(frame.f_code.co_varnames[0]) if frame.f_code.co_argcount else None  # a method's self
        found = next((place for place, part in foreign if part is owner), None)
        if found or isinstance(owner, LightningModule | AbstractClosure):
            return found
    return None


def _has_a_meaning(error: Exception) -> bool:
    """Whether an error says all by itself: it is of our own kinds, or of the machine and may pass."""
    return is_ours(error) or (isinstance(error, OSError) and not isinstance(error, _FILES))


def _words(error: Exception) -> str:
    """The error in one line, with the last line of a person's own code in which it was raised, if there is any."""
    kind, said = type(error).__name__, shorten(str(error), 400, placeholder="…")
    words = said if said and kind in _SENTENCES else f"{kind}: {said}"
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        module = f"{frame.f_globals.get('__name__')}."
        if module.startswith("tl_search."):
            break
        if not module.startswith(_LIBRARIES) and "site-packages" not in frame.f_code.co_filename:
            return f"{words} ({Path(frame.f_code.co_filename).name}, line {number})"
    return words
