"""The index of a training run's revisions, `RUN/checkpoints/index.jsonl`, with one line per revision."""

import json
from pathlib import Path
from typing import Any

from tl_search.runs.digests import folder_digests
from tl_search.runs.layout import RunPaths
from tl_search.store.atomic import write_text
from tl_search.store.journal import Journal
from tl_search.store.manifest import NAME, read_manifest


def index_of(run: Path) -> Journal:
    """The log behind the index."""
    return Journal(RunPaths(run).index)


def add_revision(
    run: Path,
    folder: Path,
    *,
    name: str,
    step: int,
    tokens: int,
    epoch: int,
    stage: str,
    eval_loss: float | None = None,
    best: float | None = None,
) -> dict[str, Any]:
    """Add a revision to the index, and return its line. A resumed run that writes the same revision again adds nothing.

    If the revision differs the second time (results on a GPU may differ in the last bits), another line is added, which
    replaces the first one for readers.

    Args:
        run: The run directory.
        folder: The complete revision; sha256 come from its manifest, if it has one.
        name: The revision's name, such as `step1000`.
        step: Completed optimizer steps.
        tokens: Training tokens seen.
        epoch: Completed epochs.
        stage: The name of the curriculum's stage.
        eval_loss: The loss on held-out text in nats per token, if it was measured.
        best: The lowest eval loss so far.
    """
    manifest = read_manifest(folder) if (folder / NAME).is_file() else {"files": {}}
    files = {file: facts["sha256"] for file, facts in manifest["files"].items()}
    weights, tokenizer = folder_digests(folder, files)
    record = {
        "name": name,
        "step": step,
        "tokens": tokens,
        "epoch": epoch,
        "stage": stage,
        "eval_loss": eval_loss,
        "best": best,
        "weights": weights,
        "tokenizer": tokenizer,
        "files": files,
    }
    journal = index_of(run)
    known = {line["name"]: line for line in journal.records()}
    if known.get(name) != record:
        journal.append(record)
    return record


def read_index(run: Path) -> list[dict[str, Any]]:
    """The lines ordered by step, for each name the last one. Changes nothing, so the run may still be training."""
    latest = {line["name"]: line for line in index_of(run).peek()}
    return sorted(latest.values(), key=lambda line: line["step"])


def forget_after(run: Path, step: int) -> None:
    """Remove the revisions after a step from the index; only the run's owner may call this."""
    journal = index_of(run)
    records = journal.records()
    kept = [record for record in records if record["step"] <= step]
    if len(kept) < len(records):
        write_text(journal.path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in kept))
