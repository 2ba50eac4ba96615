"""The index of a training run's revisions: `RUN/checkpoints/index.jsonl`, one line per revision."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tl_search.plane.revision import Revision
from tl_search.runs.digests import folder_digests
from tl_search.runs.layout import RunPaths
from tl_search.store.atomic import write_text
from tl_search.store.journal import Journal, as_line
from tl_search.store.manifest import NAME, read_manifest
from tl_search.store.typed_json import fitting, from_plain, to_plain


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

    @property
    def revision(self) -> Revision:
        """As a search speaks of it."""
        return Revision(self.name, self.step, self.tokens, self.weights, self.tokenizer)


def index_of(run: Path) -> Journal:
    """The log behind the index."""
    return Journal(RunPaths(run).index)


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

    Raises:
        ValueError: a line is damaged; the message names the file.
    """
    journal = index_of(run)
    with fitting(journal.path):
        lines: Iterable[WrittenRevision] = [from_plain(WrittenRevision, line) for line in journal.peek()]
    return sorted({line.name: line for line in lines}.values(), key=lambda line: line.step)


def forget_after(run: Path, step: int) -> None:
    """Remove the revisions after a step from the index; only the run's owner may call this."""
    journal = index_of(run)
    records = journal.records()
    kept = [record for record in records if record["step"] <= step]
    if len(kept) < len(records):
        write_text(journal.path, "".join(map(as_line, kept)))
