"""The model card of an exported arm: what it is, how to load it, how it was chosen, and what its scores are worth."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tl_search.errors.printable import printable
from tl_search.plane.arm_name import ArmName
from tl_search.plane.readout import Form
from tl_search.plane.share import ALL
from tl_search.report import sentences as say
from tl_search.report.findings import Findings
from tl_search.report.remarks import caveats
from tl_search.runs.outcome import Finalist
from tl_search.runs.searched_plane import SearchedPlane

LEAST_VERSION = "6"  # of sentence-transformers: older ones do not read which hidden state is meant


def render_card(findings: Findings, arm: ArmName, base: str | None, licence: str | None, name: str) -> str:
    """The text of README.md.

    Args:
        findings: Of the search.
        arm: What is exported.
        base: The repository on the Hub that the model is a part of; None for a model of one's own.
        licence: As the Hub spells it; None: none is named.
        name: Of the folder or the repository, for the lines that load it.
    """
    import yaml

    about: dict[str, Any] = {
        "library_name": "sentence-transformers",
        "pipeline_tag": "feature-extraction",
        "tags": ["sentence-transformers", "feature-extraction", "sentence-similarity", "tl-search"],
    }
    about |= {key: value for key, value in (("base_model", base), ("license", licence)) if value}
    window = takes_window(findings.plane, arm)
    parts = [
        f"---\n{yaml.safe_dump(about, sort_keys=False)}---",
        f"# {_plain(findings.plane.model)}, {arm}",
        _what(findings, arm),
        f"## Use\n\n```python\n{usage(name, window)}\n```\n\n{_needs(window)}",
        f"## How it was chosen\n\n{_how(findings, arm)}",
        _scores(findings, arm),
        "## How a text becomes a vector\n\n" + _settings(findings.plane.extraction),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def takes_window(plane: SearchedPlane, arm: ArmName) -> bool:
    """Whether the arm's readout takes several layers, which no module of sentence-transformers does."""
    return Form(plane.readouts[arm.readout]["form"]).of_window


def usage(folder: str | Path, window: bool) -> str:
    """The lines that load an exported folder and embed a sentence.

    Args:
        window: As `takes_window` says.
    """
    trust = ", trust_remote_code=True" if window else ""
    return (
        "from sentence_transformers import SentenceTransformer\n"
        f'model = SentenceTransformer("{folder}"{trust})\n'
        'print(model.encode(["The best layer is rarely the last one."]).shape)'
    )


def _needs(window: bool) -> str:
    package = (
        " Its layers are taken together by `tl_search.export.layer_window.LayerWindow`: the package tl-search must be "
        "installed, and sentence-transformers be allowed to import what is not its own. This folder holds no code."
    )
    return (
        f"It needs sentence-transformers {LEAST_VERSION} or newer: older versions may read another layer without "
        "saying so. `check_vector.json` has a text and its vector to compare." + package * window
    )


def _what(findings: Findings, arm: ArmName) -> str:
    plane = findings.plane
    of = "the token embeddings" if arm.layer == 0 else f"the states after block {arm.layer} of {plane.n_layers}"
    readout = "" if arm.is_raw else f", with the readout {arm.readout} ({_fitted(plane)})"
    control = f" It is a control: {say.control_name(plane, arm)}." if plane.is_control(arm) else ""
    return (
        f"An embedding model: {of} of training checkpoint {arm.revision}{readout}, found by a search over "
        f"checkpoints and layers of {_plain(plane.model)}.{control}"
    )


def _how(findings: Findings, arm: ArmName) -> str:
    outcome, lines = findings.outcome, []
    if outcome and arm == outcome.named.arm:
        lines += [say.headline(findings), *say.gain_sentences(outcome)]
    elif outcome:
        lines += [f"It was named by hand. The search's own answer is {outcome.named.arm}. {say.headline(findings)}"]
    else:
        lines += ["It was named by hand, from a search that is not finished."]
    lines += [say.spent_sentence(findings), *(f"{line}" for line in caveats(findings)[:1])]
    return " ".join(lines)


def _scores(findings: Findings, arm: ArmName) -> str:
    found = _finalist(findings, arm)
    outcome = findings.outcome
    if found is None or outcome is None:
        return "## Scores\n\nThis arm was not measured on confirmation data, so it has no score that can be reported."
    whole = findings.plane.items == ALL  # a score on some of the items is for choosing alone, and leaves no run
    rows = [
        f"| {_plain(task)} | {say.points(score)} |" + f" {_selected(found, task)} |" * whole
        for task, score in sorted(found.confirmation.tasks.items())
    ]
    mean, between = found.confirmation, say.interval(found.confirmation.interval)
    named = f"**{say.points(mean.objective)}** ({say.percent(outcome.confidence)} interval {between})"
    selected = "" if found.selection.objective is None else say.points(found.selection.objective)
    selection = (
        "selection is the data that chose the arm, on which scores are too high on average."
        if whole
        else f"the arm was chosen on {say.selection_data(findings.plane)}, whose scores are no scores of the tasks."
    )
    head = "| task | confirmation |" + " selection |" * whole + "\n|---|---|" + "---|" * whole
    last = f"| **objective** | {named} |" + f" {selected} |" * whole
    return (
        f"## Scores\n\nPoints (mteb's main score, times 100). Confirmation is {findings.reported_on}; {selection}\n\n"
        + "\n".join([head, *rows, last])
    )


def _selected(found: Finalist, task: str) -> str:
    score = found.selection.tasks.get(task)
    return "" if score is None else say.points(score)


def _finalist(findings: Findings, arm: ArmName) -> Finalist | None:
    outcome = findings.outcome
    if outcome is None:
        return None
    every = (outcome.best, outcome.final_last, outcome.final_best, outcome.same_readout, outcome.as_raw)
    return next((one for one in every if one is not None and one.arm == arm), None)


def _fitted(plane: SearchedPlane) -> str:
    return say.readouts(plane).partition("; ")[2]


def _settings(extraction: Mapping[str, Any]) -> str:
    return "\n".join(f"- {name}: {_plain(repr(value))}" for name, value in extraction.items())


def _plain(text: str) -> str:
    """One line without what Markdown or HTML would take for more than text."""
    return printable(text).replace("<", "&lt;").replace("|", "\\|")
