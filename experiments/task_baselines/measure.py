"""Scores the embedded tasks on rules that know nothing of code, and prints the table of docs/tasks.md.

Every rule makes a vector of a text, which is scored in the same way as an arm's.
"""

from collections.abc import Callable

import numpy as np

from tl_search.plane.arm import Arm
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.scoring.catalogue import task_names
from tl_search.scoring.chance import length_vector, random_vector, rule_vectors
from tl_search.scoring.evaluation import describe, score_cell
from tl_search.scoring.texts import task_texts


def _first(text: str) -> np.ndarray:
    return np.eye(128)[ord(text[0])]


def _last(text: str) -> np.ndarray:
    return np.eye(128)[ord(text[-1])]


def _bytes(text: str) -> np.ndarray:
    return np.bincount(np.frombuffer(text.encode(), np.uint8), minlength=128)[:128] / len(text)


RULES: dict[str, Callable[[str], np.ndarray]] = {
    "noise": random_vector,
    "length": length_vector,
    "first character": _first,
    "last character": _last,
    "byte histogram": _bytes,
}


def score(task: str, rule: str, split: str = "confirmation") -> float:
    """The task's main score, in points, of the vectors that a rule makes."""
    texts = task_texts(task, split)
    vectors = rule_vectors(RULES[rule], texts)
    arm = Arm("rules", Revision("rule", 1, weights=rule, tokenizer="none"), 1, Extraction(dtype=Dtype.float32))
    return 100 * score_cell(arm, describe(task, split), vectors).value


if __name__ == "__main__":
    print(f"| task | main score | {' | '.join(RULES)} |\n|---|---|{'---:|' * len(RULES)}")
    for name in task_names():
        values = " | ".join(f"{score(name, rule):.1f}" for rule in RULES)
        print(f"| `{name}` | {describe(name, 'confirmation').main_score} | {values} |", flush=True)
