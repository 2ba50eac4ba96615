"""What a command is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

Bare = tuple[str, ...] | Callable[[Sequence[str]], tuple[str, ...]]


@dataclass(frozen=True)
class Command:
    """One command; `cli/commands/<name>` holds it, `conf/<name>.yaml` its settings.

    Args:
        name: As typed.
        summary: What it does, for a person, in a few lines; the first is shown in the overview.
        usage: What may follow its name.
        examples: Command lines, each with what it is for.
        bare: Overrides that a bare word stands for, with `{}` in its place; none if it takes no bare word. Or a
            function from all bare words to overrides, where there may be several.
        plan: Built parts → what the command works on. No side effects; raises ValueError for what does not fit.
        execute: (plan, run directory, composed config) → exit code. Everything that costs.
    """

    name: str
    summary: str
    usage: str
    examples: tuple[tuple[str, str], ...]
    bare: Bare
    plan: Callable[[Mapping[str, Any]], Any]
    execute: Callable[[Any, Path, DictConfig], int]
