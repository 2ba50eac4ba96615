"""The command `tl revisions`: checks its settings, and lists the revisions of models with their counts and costs."""

import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tl_search.checkpoints.hub import HubCheckpoints
from tl_search.checkpoints.offered import Offer, from_registry, from_source, picked
from tl_search.checkpoints.source import CheckpointSource, LocalCheckpoints
from tl_search.checkpoints.spelling import tell_spelling
from tl_search.cli.command import Command
from tl_search.cli.commands.revisions.counts import Counts, as_plain, counted, table_lines
from tl_search.cli.commands.revisions.formats import Format, printed
from tl_search.cli.commands.revisions.hub import Asked, ask, lines, report
from tl_search.cli.commands.revisions.hub import entry as hub_entry
from tl_search.cli.config.convert import convert
from tl_search.errors.exit_codes import DONE, INCOMPLETE
from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import no_folder
from tl_search.plane.costs import AnalyticCosts, Workload
from tl_search.plane.revision import Revision
from tl_search.plane.sampling import Sampling, notes
from tl_search.plane.share import ALL
from tl_search.search.budget import Budget
from tl_search.search.workload import Work, work_of
from tl_search.store.atomic import write_json, write_text

SHOWN = 40  # names that a table lists
WIDTH = 120  # of the lines of text below it
_PARTS = {
    "checkpoints": CheckpointSource,
    "sampling": Sampling,
    "costs": AnalyticCosts,
    "work": Workload,
    "budget": Budget,
}


@dataclass(frozen=True)
class RevisionsPlan:
    """What the command has to do.

    Args:
        work: The tasks for which costs are estimated; of those that are not on this machine, the size is `assumed`.
        cache: Where an audit keeps what the Hub lists; None without an audit.
        offers: What is known without asking the Hub, with the revisions that the sampling picks of it.
    """

    source: CheckpointSource
    sampling: Sampling
    costs: AnalyticCosts
    work: Work
    assumed: Workload
    budget: Budget
    form: Format
    available: bool
    output: Path | None
    cache: Path | None
    offers: tuple[tuple[Offer, tuple[Revision, ...]], ...]


def plan(parts: Mapping[str, Any]) -> RevisionsPlan:
    """What the settings ask for; everything but requests to the Hub is done. Raises ValueError."""
    for key, kind in _PARTS.items():
        convert(parts[key], kind, key)
    source, sampling = parts["checkpoints"], parts["sampling"]
    audited, available = (convert(parts[key], bool, key) for key in ("audit", "available"))
    form, ledger = convert(parts["format"], Format, "format"), convert(parts["ledger"], Path, "ledger")
    output = convert(parts["output"], Path | None, "output")
    cache = convert(parts["cache"], Path, "cache")
    suffixes = (".json", ".md") if audited else (".json",)
    if output is not None and (output.suffix not in suffixes or output.is_dir()):
        raise ValueError(f"output: must be a file that ends in {' or '.join(suffixes)}, got {output}")
    on_hub = isinstance(source, HubCheckpoints)
    if (available or audited) and not on_hub:
        setting = "audit" if audited else "available"
        raise ValueError(f"{setting}: must be false, since these checkpoints are not on the Hub")
    if isinstance(source, LocalCheckpoints) and not Path(source.path).is_dir():
        raise ValueError(f"checkpoints.path: {no_folder(Path(source.path))}")
    offers = tuple(map(from_registry, source.repositories)) if on_hub else (_of_source(source),)
    if not (available or audited):
        _check_known(offers)
    if form is Format.override and len(offers) != 1:
        raise ValueError(f"format: override is for one model, since a search takes one, got {len(offers)}")
    return RevisionsPlan(
        *(source, sampling, parts["costs"], _work(parts, ledger / "texts"), parts["work"], parts["budget"]),
        *(form, available or audited, output),
        *(cache if audited else None, tuple((offer, _picked(offer, sampling)) for offer in offers)),
    )


def _work(parts: Mapping[str, Any], folder: Path) -> Work:
    suite = parts.get("tasks")
    if suite is not None:
        try:
            suite.check()
        except ValueError as error:
            raise ValueError(f"tasks.{error}") from error
    return work_of(suite, parts["work"], folder)


def _of_source(source: CheckpointSource) -> Offer:
    try:
        return from_source(source)
    except ValueError as error:
        raise ValueError(f"checkpoints.{str(error).removeprefix('checkpoints.')}") from error


def _check_known(offers: Sequence[Offer]) -> None:
    if not any(offer.revisions for offer in offers):
        first = offers[0]
        why = first.notes[0] if first.family is None else f"{first.family.title} is in the registry without its steps"
        raise ValueError(f"checkpoints: no revisions of {first.model} are known: {why}; available=true asks the Hub")


def _picked(offer: Offer, sampling: Sampling) -> tuple[Revision, ...]:
    try:
        return picked(offer, sampling)
    except ValueError as error:
        raise ValueError(f"sampling.{error}") from error


def execute(plan: RevisionsPlan, folder: Path, config: DictConfig) -> int:
    """Print the revisions; write the file that `output` names. Returns 3 if something is lacking or wrong."""
    offers, asked = list(plan.offers), dict[str, Asked]()
    for family, name in {offer.family.name: (offer.family, offer.name) for offer, _ in offers if offer.family}.values():
        tell_spelling(plan.sampling, family, name)
    if plan.available:
        assert isinstance(plan.source, HubCheckpoints)
        for known, _ in plan.offers:
            try:
                asked[known.model] = ask(plan.source, known, plan.sampling, plan.cache is not None, plan.cache)
            except ValueError as error:
                raise BadInput(f"checkpoints.{error}") from error
        found = [there.listing.offer for there in asked.values()]
        offers = [(offer, _picked(offer, plan.sampling)) for offer in found]
    rows = [(offer, chosen, counted(offer, chosen, plan.costs, plan.work, plan.budget)) for offer, chosen in offers]
    entries = {offer.model: _entry(offer, chosen, counts, plan, asked) for offer, chosen, counts in rows}
    if plan.form is Format.table:
        table = [(offer, len(chosen), counts) for offer, chosen, counts in rows]
        local = isinstance(plan.source, LocalCheckpoints)
        print("\n".join([*_described(offers, entries, asked), "", *table_lines(table, local), *_explained(plan)]))
    else:
        print(printed(plan.form, {offer.model: chosen for offer, chosen in offers}, {"models": entries}))
        for model, entry in entries.items():
            told = [*entry["notes"], *(line.strip() for line in lines(asked[model]))] if asked else entry["notes"]
            print(*(f"{model}: {line}" for line in told), sep="\n", file=sys.stderr)
    if plan.output is not None:
        if plan.output.suffix == ".md":
            write_text(plan.output, report(asked))
        else:
            write_json(plan.output, {"models": entries})
        print(f"written to {plan.output}", file=sys.stderr)
    return DONE if all(there.complete for there in asked.values()) else INCOMPLETE


def _entry(
    offer: Offer, chosen: Sequence[Revision], counts: Counts | None, plan: RevisionsPlan, asked: Mapping[str, Asked]
) -> dict[str, Any]:
    """All that is known of a model, for a JSON file."""
    return {
        "family": offer.family.name if offer.family else None,
        "certain": offer.certain,
        "known": len(offer.revisions),
        "assumed": _assumed(offer, plan),
        "revisions": [{"name": one.name, "step": one.step, "tokens": one.tokens} for one in chosen],
        "counts": as_plain(counts),
        "notes": [*notes(plan.sampling, offer.revisions), *offer.notes],
        **(hub_entry(asked[offer.model]) if offer.model in asked else {}),
    }


def _assumed(offer: Offer, plan: RevisionsPlan) -> list[str]:
    """Which of the counts' inputs are assumptions."""
    work = ["work"] if not plan.work.chosen else [f"work of {name}" for name in plan.work.assumed]
    return [*work, "costs", "metrics", *(["bytes"] if offer.sizes is not None and not offer.sizes.bytes else [])]


def _described(
    offers: Sequence[tuple[Offer, Sequence[Revision]]], entries: Mapping[str, Any], asked: Mapping[str, Asked]
) -> list[str]:
    """The picked revisions and the notes of each model; of models that have the same, once."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for offer, chosen in offers:
        names = [revision.name for revision in chosen]
        shown = names if len(names) <= SHOWN else [*names[: SHOWN // 2], "…", *names[-SHOWN // 2 :]]
        title = f" ({offer.family.title})" if offer.family else ""
        head = f"{len(names)} of {len(offer.revisions)} revisions: {', '.join(shown) or 'none'}"
        more = lines(asked[offer.model]) if offer.model in asked else []
        told = (head, *(f"  note: {note}" for note in entries[offer.model]["notes"]), *more)
        groups.setdefault(told, []).append(f"{offer.model}{title}")
    return [line for told, models in groups.items() for line in (*models[:-1], f"{models[-1]}: {told[0]}", *told[1:])]


def _explained(plan: RevisionsPlan) -> list[str]:
    """What the numbers mean, and which of them are assumptions."""
    work, size, budget = plan.work, plan.assumed, plan.budget
    each = f"{size.texts:,} texts of {size.characters} characters (work.*)"
    if not work.chosen:
        tasks = f"for {size.tasks} tasks, which are assumed to have {each}; tasks=stdlib, say, counts those of a suite"
    elif work.assumed:
        unknown = ", ".join(work.assumed)
        tasks = f"for {len(work.sizes)} tasks, of which {unknown} are not on this machine and assumed to have {each}"
    else:
        tasks = f"for {len(work.sizes)} tasks, whose {work.texts:,} texts were counted"
    if work.items != ALL:
        tasks += f", on {work.items} of their items (tasks.items)"
    limits = [f"budget.{name}={value:g}" for name, value in vars(budget).items() if value is not None]
    sentences = (
        _arms(work.readouts),
        f"Times are those of the cost table by which a search decides, {tasks}: for scoring all arms, all layers of "
        f"one revision, and at most with {' and '.join(limits) or 'no budget'}. The confirmation is not in them.",
        "Also assumed are the speed of the machine (costs.*), the size of metrics, and, of models without a known size "
        "of their files, 2 bytes for each parameter.",
    )
    return ["", *(line for sentence in sentences for line in textwrap.wrap(sentence, WIDTH))]


def _arms(readouts: int) -> str:
    each = "pairs of a revision and a layer" if readouts == 1 else f"a revision, a layer and one of {readouts} readouts"
    return f"Arms are {each}; layer 0 is the token embeddings."


COMMAND = Command(
    name="revisions",
    summary="list the revisions that a search would look at, with the numbers of arms and estimates of the cost\n\n"
    "What is known of published families (Pythia, OLMo, …) is in a registry, so no network is needed. available=true\n"
    "asks the Hub what exists. Only the list is printed on stdout; notes are on stderr if format is not table.\n"
    "The exit code is 3 if the Hub lacks revisions that the sampling asks for, or an audit finds something.",
    usage="[TRAINING_RUN] [SETTING=VALUE ...]",
    examples=(
        ("tl revisions checkpoints.models=[pythia-14m,pythia-70m,pythia-410m]", "count the arms of three models"),
        ("tl revisions checkpoints.family=pythia sampling=log", "count those of all models of a family"),
        ("tl revisions checkpoints.models=[pythia-410m] sampling=uniform format=yaml", "print a list of revisions"),
        ("tl revisions checkpoints.models=[pythia-70m] tasks=stdlib budget.share=0.1", "what such a search costs"),
        ("tl revisions runs/train/RUN sampling=dense", "show what a search of a training run would look at"),
        ("tl revisions checkpoints.models=[pythia-70m] available=true output=there.json", "ask the Hub what exists"),
        ("tl revisions checkpoints.models=[pythia-2.8b] audit=true output=audit.md", "look for mistakes on the Hub"),
    ),
    bare=("checkpoints=run", "checkpoints.path={}"),
    plan=plan,
    execute=execute,
    settings=(
        *("checkpoints", "sampling", "tasks", "budget", "costs", "work"),
        *("format", "available", "audit", "output"),
    ),
    places=("cache", "ledger"),
    makes_run=False,
)
