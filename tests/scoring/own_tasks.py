"""Writes a folder of a person's own tasks, one of each type, as README shows them."""

import json
from pathlib import Path
from typing import Any

from scoring.tiny_tasks import sentence


def rows(path: Path, values: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


def write(folder: Path, items: int = 40) -> Path:
    """Tasks of each type with so many items."""
    texts = [sentence(n, n % 4, "own") for n in range(items)]
    others = [sentence(n, (n + n % 2) % 4, "other") for n in range(items)]
    pairs = [{"sentence1": one, "sentence2": two} for one, two in zip(texts, others, strict=True)]
    kinds = {
        "Tickets": "Classification",
        "Themes": "Clustering",
        "Likeness": "STS",
        "Doubles": "PairClassification",
        "Manuals": "Retrieval",
        "Answers": "Reranking",
    }
    for name, kind in kinds.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "task.yaml").write_text(f"type: {kind}\n")
    practice = [{"text": sentence(n, n % 4, "practice"), "label": f"topic {n % 4}"} for n in range(items)]
    rows(folder / "Tickets" / "train.jsonl", practice)
    rows(folder / "Tickets" / "test.jsonl", [{"text": t, "label": f"topic {n % 4}"} for n, t in enumerate(texts)])
    rows(folder / "Themes" / "test.jsonl", [{"sentences": t, "labels": n % 4} for n, t in enumerate(texts)])
    rows(
        folder / "Likeness" / "test.jsonl", [{**pair, "score": 5 - 5 * (n % 2) + n % 3} for n, pair in enumerate(pairs)]
    )
    rows(folder / "Doubles" / "test.jsonl", [{**pair, "labels": 1 - n % 2} for n, pair in enumerate(pairs)])
    for name in ("Manuals", "Answers"):
        place = folder / name
        rows(place / "corpus.jsonl", [{"id": f"d{n}", "title": f"t{n}", "text": t} for n, t in enumerate(texts)])
        rows(place / "queries.jsonl", [{"id": f"q{n}", "text": t} for n, t in enumerate(others)])
        judged = [{"query-id": f"q{n}", "corpus-id": f"d{n}", "score": 1} for n in range(items)]
        rows(place / "qrels" / "test.jsonl", judged)
    around = [[f"d{(n + step) % items}" for step in range(5)] for n in range(items)]
    rows(
        folder / "Answers" / "top_ranked.jsonl", [{"query-id": f"q{n}", "corpus-ids": a} for n, a in enumerate(around)]
    )
    return folder
