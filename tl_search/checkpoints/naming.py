"""Turns the name of a published checkpoint into its place in training, and back."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import ceil, floor
from typing import Any

UNITS = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_LARGEST = 2**62  # of steps and of tokens; a name that tells more is no checkpoint's
_FIELD = re.compile(r"\{(step|tokens|stage)(?::([^}]*))?\}")
_ROUND = {"up": ceil, "down": floor, "nearest": lambda number: floor(number + Fraction(1, 2))}


@dataclass(frozen=True)
class Place:
    """Where in training a checkpoint was written.

    Args:
        step: Completed steps, in the family's unit, counted as the name counts them.
        tokens: Training tokens seen by then in this stage (words where the family counts words); None if not known.
        stage: The part of training that the name tells; empty in a family with one part.
    """

    step: int
    tokens: int | None = None
    stage: str = ""


@dataclass(frozen=True)
class Naming:
    """One pattern of names.

    Args:
        template: `step{step}`, with `{step:3}` for leading zeros up to three digits, `{tokens:B}` for a number of
            billions (K, M, B or T) that is followed by this letter, and `{stage}`.
        stage: The stage that all its names are of; a regular expression if the template has `{stage}`.
        steps: Model (a regular expression) → the steps that are published: `0, 1, 2, 1000..143000/1000`.
        only: Whether it is the pattern of exactly these steps; others are named by a later pattern.
        scale: Steps in one unit of the name's number: 1000 where `20k` is step 20000.
        starts: Model (a regular expression) → the steps of earlier stages, where a stage counts from 0 again.
        tokens_per_step: Model (a regular expression) → training tokens of one step; empty if not known.
        rounding: How tokens are rounded in a name: up, down or nearest.
        rounding_unit: To a multiple of what they are rounded, in the unit of the name.
        parallel: Whether these checkpoints are of a second run beside the others, so that they have no place on one
            time axis with them.
        title: The title of the commit that holds such a checkpoint, if commits are how the family publishes.
    """

    template: str
    stage: str = ""
    steps: Mapping[str, str] = field(default_factory=dict)
    only: bool = False
    scale: int = 1
    starts: Mapping[str, int] = field(default_factory=dict)
    tokens_per_step: Mapping[str, int] = field(default_factory=dict)
    rounding: str = "nearest"
    rounding_unit: float = 1.0
    parallel: bool = False
    title: str | None = None

    def __post_init__(self) -> None:
        fields = [name for name, _ in _FIELD.findall(self.template)]
        if fields.count("step") != 1 or len(set(fields)) != len(fields):
            raise ValueError(f"template: must have {{step}} once, got {self.template!r}")
        if self.rounding not in _ROUND:
            raise ValueError(f"rounding: must be one of {', '.join(_ROUND)}, got {self.rounding!r}")
        if self.title is not None and "{step}" not in self.title:
            raise ValueError(f"title: must have {{step}}, got {self.title!r}")
        self.unit  # noqa: B018  refuses an unknown unit now
        for listed in self.steps.values():
            list(steps_in(listed))

    @cached_property
    def unit(self) -> int | None:
        """Tokens in the unit of `{tokens:…}`; None where the name tells no tokens."""
        units = [how for name, how in _FIELD.findall(self.template) if name == "tokens"]
        if units and units[0].upper() not in UNITS:
            raise ValueError(f"template: {{tokens:…}} must name K, M, B or T, got {self.template!r}")
        return UNITS[units[0].upper()] if units else None

    def place(self, name: str, model: str = "") -> Place | None:
        """What a name says; None if it is not written by this pattern."""
        found = re.fullmatch(self._pattern(loose=False), name)
        place = self._read(found, model) if found else None
        return place if place is not None and self.name(place, model) == name else None

    def meant(self, name: str, model: str = "") -> str | None:
        """The name that is probably meant by one with other dashes or other capitals: `step1000` by `step-1000`."""
        found = re.fullmatch(self._pattern(loose=True), name, re.IGNORECASE)
        place = self._read(found, model) if found else None
        return self.name(place, model) if place is not None else None

    def name(self, place: Place, model: str = "") -> str | None:
        """The name of a checkpoint; None if this pattern names no such one."""
        varies = "{stage}" in self.template
        if not (re.fullmatch(self.stage, place.stage) if varies else place.stage == self.stage):
            return None
        if place.step % self.scale or (self.only and place.step not in self.published(model)):
            return None

        def written(found: re.Match[str]) -> str:
            what, how = found.groups()
            if what == "step":
                return str(place.step // self.scale).zfill(int(how or 1))
            return place.stage if what == "stage" else f"{_plain(Fraction(place.tokens or 0, self.unit or 1))}{how}"

        if self.unit and place.tokens is None:
            return None
        return _FIELD.sub(written, self.template)

    def at(self, step: int, model: str = "", stage: str = "") -> Place:
        """The place of a step; tokens are rounded as in names that tell them."""
        per_step = of_model(self.tokens_per_step, model)
        tokens = None if per_step is None else step * per_step
        if tokens is not None and self.unit:
            grain = Fraction(self.rounding_unit) * self.unit
            tokens = int(_ROUND[self.rounding](tokens / grain) * grain)
        return Place(step, tokens, stage or self.stage)

    def published(self, model: str = "") -> tuple[int, ...]:
        """The steps that the model publishes under these names, rising; () if they are not known."""
        return tuple(sorted(set(steps_in(of_model(self.steps, model) or ""))))

    def position(self, place: Place, model: str = "") -> int:
        """The steps from the beginning of the whole training."""
        return (of_model(self.starts, model) or 0) + place.step

    def _read(self, found: re.Match[str], model: str) -> Place | None:
        said = found.groupdict()
        step, stage = int(said["step"]) * self.scale, said.get("stage") or self.stage
        if said.get("tokens") is None:
            place = self.at(step, model, stage)
        else:
            place = Place(step, int(Fraction(said["tokens"]) * (self.unit or 1)), stage)
        return place if max(place.step, place.tokens or 0) < _LARGEST else None

    def _pattern(self, loose: bool) -> str:
        """The template as a regular expression; a loose one also takes other dashes or none between its words."""
        dash = "[-_ ]?" if loose else ""
        pattern, end = "", 0
        for found in _FIELD.finditer(self.template):
            what, how = found.groups()
            pattern += _literal(self.template[end : found.start()], loose) + (dash if what == "step" else "")
            number = r"\d{1,18}(?:\.\d{1,18})?" if what == "tokens" else r"\d{1,18}"
            pattern += f"(?P<{what}>{self.stage if what == 'stage' else number})"
            pattern += how if what == "tokens" else ""
            end = found.end()
        return pattern + _literal(self.template[end:], loose)


def _literal(text: str, loose: bool) -> str:
    return re.sub(r"(?:\\-|_)+", "[-_ ]?", re.escape(text)) if loose else re.escape(text)


def _plain(number: Fraction) -> str:
    return str(number.numerator) if number.denominator == 1 else f"{float(number):.10g}"


def of_model(values: Mapping[str, Any], model: str) -> Any:
    """The value of the first regular expression that the model's name matches; None if there is none."""
    return next((value for pattern, value in values.items() if re.fullmatch(pattern, model)), None)


def steps_in(listed: str) -> Iterator[int]:
    """The steps of a list such as `0, 1, 2, 1000..143000/1000`.

    Raises:
        ValueError: it is none.
    """
    for part in filter(None, (part.strip() for part in listed.split(","))):
        found = re.fullmatch(r"(\d+)(?:\.\.(\d+)/([1-9]\d*))?", part)
        if not found:
            raise ValueError(f"steps: must be written like '0, 1, 1000..143000/1000', got {part!r}")
        first, last, interval = found.groups()
        yield from range(int(first), int(last) + 1, int(interval)) if last else (int(first),)
