"""The index of a training run's revisions: `RUN/checkpoints/index.jsonl`, one line per revision."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from tl_search.errors.limits import at_least
from tl_search.plane.revision import Revision
from tl_search.runs.digests import CONFIG, TOKENIZER_CONFIG, folder_digests
from tl_search.runs.layout import RunPaths
from tl_search.store.atomic import write_text
from tl_search.store.journal import Journal, as_line
from tl_search.store.keys import check_name
from tl_search.store.manifest import NAME, file_digest, read_manifest
from tl_search.store.outside import parse_json
from tl_search.store.typed_json import from_plain, to_plain

log = logging.getLogger(__name__)

_MISSING = "is missing"
_MOST = 8  # faults in one message
_told: set[str] = set()  # what this process has said


@dataclass(frozen=True)
class WrittenRevision:
    """A revision that a training run has written: a line of its index.

    Args:
        name: `step1000`.
        step: Completed optimizer steps.
        tokens: Training tokens seen; None where they were not recorded.
        epoch: Completed epochs; None where they were not recorded.
        stage: Name of the curriculum's stage.
        eval_loss: Nats per token on held-out text; None where it was not measured.
        best: The lowest eval loss so far, also of steps without a revision.
        weights: Digest of the weights (`runs/digests.py`).
        tokenizer: Digest of the tokenizer.
        files: File → sha256.
        measured: What else decided which checkpoint is best: measurement (`plane/best`) → its value at this step.
    """

    name: str
    step: int
    tokens: int | None = None
    epoch: int | None = None
    stage: str = ""
    eval_loss: float | None = None
    best: float | None = None
    weights: str = ""
    tokenizer: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)

    OPTIONAL = ("measured",)

    def __post_init__(self) -> None:
        check_name(self.name, "revision")
        at_least(0, step=self.step)

    @property
    def revision(self) -> Revision:
        """As a search speaks of it."""
        return Revision(self.name, self.step, self.tokens, self.weights, self.tokenizer)


def index_of(run: Path) -> Journal:
    """The log behind the index."""
    return Journal(RunPaths(run).index, "remove it, since what the revisions say of themselves counts")


def add_revision(
    run: Path, folder: Path, *, name: str, step: int, tokens: int, epoch: int, stage: str,
    eval_loss: float | None = None, best: float | None = None, measured: Mapping[str, float] | None = None,
) -> WrittenRevision:  # fmt: skip
    """Enter the revision that lies in `folder`, once; a resumed run that writes it again adds nothing.

    When the second writing differs (a GPU need not repeat itself to the last bit), a second line is added and
    counts instead of the first.

    Args:
        run: The run directory.
        folder: The finished revision; sha256 are taken from its manifest, if it has one.
        name: As for `WrittenRevision`, like all that follow.
    """
    manifest = read_manifest(folder) if (folder / NAME).is_file() else {"files": {}}
    files = {file: facts["sha256"] for file, facts in manifest["files"].items()}
    facts = (name, step, tokens, epoch, stage, eval_loss, best)
    written = WrittenRevision(*facts, *folder_digests(folder, files), files, measured or {})
    journal, line = index_of(run), to_plain(written)
    known = {line["name"]: line for line in journal.records()}
    if known.get(name) != line:
        journal.append(line)
    return written


def read_index(run: Path) -> list[WrittenRevision]:
    """The revisions by rising step; the last line of a name counts. Changes nothing: the run may be training.

    Lines that are missing or do not agree with the manifests of the revisions are replaced, which is told once.

    Raises:
        ValueError: a line is damaged, and no revision has a manifest; the message names the file.
    """
    lines, wrong = _compared(run)
    if lines and not RunPaths(run).done.exists() and wrong.get(lines[-1].name) == _MISSING:
        del wrong[lines[-1].name]  # it is perhaps about to be written
    path = index_of(run).path
    said = f"{path}: {_sentence(wrong)}; what the revisions' own {NAME} say counts"
    if wrong and said not in _told:
        _told.add(said)
        log.warning("%s", said)
    return lines


def restore_index(run: Path) -> None:
    """Write the index again if it does not agree with the revisions; only the run's owner may call this."""
    lines, wrong = _compared(run)
    if wrong:
        path = index_of(run).path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, "".join(as_line(to_plain(line)) for line in lines))
        log.warning("%s: %s; it was written again from the %s of the revisions", path, _sentence(wrong), NAME)


def _sentence(wrong: Mapping[str, str]) -> str:
    named = [f"{name} {what}" for name, what in wrong.items()]
    return ", ".join(named[:_MOST]) + (f" and {len(named) - _MOST} more" if len(named) > _MOST else "")


def _compared(run: Path) -> tuple[list[WrittenRevision], dict[str, str]]:
    """(The revisions by rising step, what is wrong with the index: revision or line → a few words)."""
    journal, lines, wrong = index_of(run), {}, {}
    for number, text in enumerate(journal.lines()[0], 1):
        try:
            line: WrittenRevision = from_plain(WrittenRevision, parse_json(text))
            lines[line.name] = line
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            wrong[f"line {number}"] = f"is damaged ({error})"
    found = {folder.name: _by_manifest(folder) for folder in RunPaths(run).revisions.glob("step*") if folder.is_dir()}
    whole = {name: line for name, line in found.items() if line is not None}
    if wrong and not whole:
        place, what = next(iter(wrong.items()))
        raise ValueError(f"{journal.path}: {place} {what}; {journal.healed_by}")
    best: float | None = None
    for name, own in sorted(whole.items(), key=lambda item: item[1].step):
        given = lines.get(name)
        losses = [loss for loss in (best, own.eval_loss) if loss is not None]
        best = own.best if own.best is not None else given.best if given else min(losses, default=None)
        lines[name] = replace(own, best=best)
        if lines[name] != given:
            wrong[name] = "is not as it was written" if given else _MISSING
    return sorted(lines.values(), key=lambda line: line.step), wrong


def _by_manifest(folder: Path) -> WrittenRevision | None:
    """The line of a revision, from its manifest alone; None if that, or a file that the digests need, is not whole."""
    try:
        manifest = read_manifest(folder)
        files = {file: facts["sha256"] for file, facts in manifest["files"].items()}
        if any(file_digest(folder / name) != files[name] for name in (CONFIG, TOKENIZER_CONFIG) if name in files):
            return None
        named = {one.name for one in fields(WrittenRevision)}
        facts = {name: fact for name, fact in manifest.items() if name in named - {"files"}}
        weights, tokenizer = folder_digests(folder, files)
        line: WrittenRevision = from_plain(
            WrittenRevision, {**facts, "weights": weights, "tokenizer": tokenizer, "files": files}
        )
    except (KeyError, TypeError, ValueError, AttributeError, OSError):
        return None
    return line if line.name == folder.name else None


def forget_after(run: Path, step: int) -> None:
    """Remove the revisions after a step from the index; only the run's owner may call this."""
    journal = index_of(run)
    records = journal.records()
    kept = [record for record in records if record["step"] <= step]
    if len(kept) < len(records):
        write_text(journal.path, "".join(map(as_line, kept)))
