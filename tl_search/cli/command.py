"""What a command is: everything that the command line must know about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

Bare = tuple[str, ...] | Callable[[Sequence[str]], tuple[str, ...]]


@dataclass(frozen=True)
class Command:
    """One command; `cli/commands/<name>` holds it, `conf/<name>.yaml` its settings.

    Args:
        bare: Overrides that a bare word stands for, with `{}` in its place; none if it takes no bare word. Or a
            function from all bare words to overrides, where there may be several.
        plan: Built parts → what the command works on. No side effects; raises ValueError for what does not fit.
        execute: (plan, run directory, composed config) → exit code. Everything that costs.
        parts: Gives the classes whose fields are its top-level settings; a function, so that they are imported late.
        settings: Other top-level settings of the command that change what it does.
        places: Other top-level settings of the command that name folders which runs share.
        derived: Settings of `parts` that follow from the others, so that the run's name need not hold them.
        makes_run: Whether it makes a run directory. One that makes none is carried out here, without Hydra's launchers.
        also_takes: Commands whose experiments fit this one, too.
        resumes: Whether `resume=RUN` puts its settings on top of those of an earlier run.
        instead: Settings that only other commands have → what to do instead of giving them to this one.
        rewrite: Puts the words of a command line in the form in which its own settings hold them.
    """

    name: str
    summary: str
    usage: str
    examples: tuple[tuple[str, str], ...]
    bare: Bare
    plan: Callable[[Mapping[str, Any]], Any]
    execute: Callable[[Any, Path, DictConfig], int]
    parts: Callable[[], tuple[type, ...]] = tuple
    settings: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    makes_run: bool = True
    also_takes: tuple[str, ...] = ()
    resumes: bool = False
    instead: Mapping[str, str] = field(default_factory=dict)
    rewrite: Callable[[Sequence[str]], list[str]] = list
