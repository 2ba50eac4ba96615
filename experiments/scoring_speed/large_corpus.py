"""Measures how soon a retrieval task with many documents is scored, by mteb's own evaluation and by this package.

The texts are numbers and the vectors are random, since only time is measured, and that both give the same score.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from measure import compare

from tl_search.plane.arm import Arm
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.scoring.evaluation import describe
from tl_search.scoring.texts import texts_of

REVISION = Revision("step1", 1, weights="w", tokenizer="t")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print("| documents | mteb | here | ratio | largest difference |\n|---:|---:|---:|---:|---:|")
    for documents in asked.documents:
        with tempfile.TemporaryDirectory() as place:
            task = describe("Numbers", "test", folder=_task(Path(place), documents, asked.queries))
            texts = texts_of(task)
            states = np.random.default_rng(0).standard_normal((1, len(texts), asked.width), dtype=np.float32)
            arm = Arm("random/vectors", REVISION, 0, Extraction(dtype=Dtype.float32))
            found = [compare(task, texts, [arm], states) for _ in range(asked.rounds + 1)][1:]  # the first prepares
        theirs, ours = (statistics.median(one[place] for one in found) for place in (0, 1))
        apart = max(one[2] for one in found)
        print(f"| {documents:,} | {theirs:.2f} | {ours:.2f} | {theirs / ours:.1f} | {apart:.0e} |", flush=True)


def _task(place: Path, documents: int, queries: int) -> Path:
    """A folder of one task, whose queries have one relevant document each."""
    folder = place / "Numbers"
    (folder / "qrels").mkdir(parents=True)
    (folder / "task.yaml").write_text("type: Retrieval\n")
    _lines(folder / "corpus.jsonl", ({"id": f"d{n}", "text": f"document {n}"} for n in range(documents)))
    _lines(folder / "queries.jsonl", ({"id": f"q{n}", "text": f"query {n}"} for n in range(queries)))
    judged = ({"query-id": f"q{n}", "corpus-id": f"d{n}", "score": 1} for n in range(queries))
    _lines(folder / "qrels" / "test.jsonl", judged)
    return place


def _lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


if __name__ == "__main__":
    main()
