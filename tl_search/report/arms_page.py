"""A comparison of arms as one HTML page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tl_search.report import arms_verdict as say
from tl_search.report.arm_rows import Comparison
from tl_search.report.page import THEMES, embedded, rendered
from tl_search.report.pictures import draw_arms
from tl_search.runs.identity import flat


def render_arms(found: Comparison, folder: Path, made_by: str | None = None) -> str:
    """The whole page as HTML.

    Args:
        folder: Where the files of the comparison are.
        made_by: The command that made it.
    """
    arms = found.arms
    verdicts = [
        say.verdict(found, row, number) for number in range(1, len(arms.arms)) for row in found.rows[:2]
    ]  # of the final and the best value; the table has the others
    return rendered(
        "compare.html.j2",
        {},
        found=found,
        arms=arms,
        say=say,
        verdicts=verdicts,
        missing=say.missing(found),
        images={name: embedded(draw_arms(arms, theme)) for name, theme in THEMES.items()},
        alt=_alt(found),
        diverged=any(arm.diverged for arm in arms.arms),
        level=percent(found),
        marks=[
            (arm.name, name, step, _sets(arm.planned.get(name, {})))
            for arm in arms.arms
            for step, name in arm.stages.items()
        ],
        commands=_commands(found, folder, made_by),
        caveats=_caveats(found),
    )


def _sets(stage: Mapping[str, Any]) -> str:
    """The loss weights and the data parameters of a stage, as the plan of a run has it."""
    weights, data = flat(stage.get("losses") or {}), flat(stage.get("data") or {})
    return ", ".join(f"{name} {value}" for name, value in {**weights, **data}.items() if name)


def percent(found: Comparison) -> str:
    """The level of the intervals."""
    return f"{100 * found.final.level:.4g} %"


def _commands(found: Comparison, folder: Path, made_by: str | None) -> list[tuple[str, str]]:
    next_steps = say.next_steps(found) or [(say.NONE_TO_NAME, "")]
    made = [("To make this page again; what is finished is only read", made_by)] if made_by else []
    return [*next_steps, *made, ("To see the curves", f"tensorboard --logdir {folder / 'tensorboard'}")]


def _alt(found: Comparison) -> str:
    arms = found.arms
    ends = [f"{arm.name} {say.spread(found.final, number) or 'none'}" for number, arm in enumerate(arms.arms)]
    chart = f"Line chart of {arms.metric.label} after the branch at step {arms.step:,}."
    return f"{chart} At step {arms.end:,}: {', '.join(ends)}."


def _caveats(found: Comparison) -> list[str]:
    arms = found.arms
    several = f", so that the {len(arms.arms) - 1} intervals of one quantity hold together (Bonferroni)"
    return [
        "Arms with one seed begin with the same bytes and read the same text in the same order; differences are paired "
        "by seed.",
        "An interval is the hull of Student's and of the bootstrap's, and a difference counts as shown if 0 is outside "
        f"of it. Its level is {percent(found)}{several if len(arms.arms) > 2 else ''}. Few seeds show only large "
        "differences: that none is shown does not mean that there is none.",
        f"The winner is decided by one quantity alone, {found.final.title}. The other quantities are not corrected for "
        "their number: among twenty without any difference, one is expected to seem to have one.",
        "Every arm is compared with the first one only. Adding seeds until a difference is shown finds differences "
        "where there are none.",
        f"Nothing is interpolated: a step is one at which {arms.metric.label} was measured. A change across the start "
        "of a stage is the value at the first measured step after the start, minus the one at the last measured step "
        "up to it; in arms without that stage it is over the same steps.",
    ]
