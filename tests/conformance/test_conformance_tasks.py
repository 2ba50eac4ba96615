"""Every task of ours must pass: mteb's own number, again and again, from fresh objects, on two splits of other data."""

from functools import cache
from itertools import pairwise

import mteb
import numpy as np
import pytest
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction

from tl_search.plane.arm import Arm
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.scoring.catalogue import get_task, task_names
from tl_search.scoring.evaluation import describe, score_cell
from tl_search.scoring.texts import task_texts
from tl_search.scoring.uncertainty.resample import confirm_cell
from tl_search.store.keys import text_digest

ARM = Arm("demo/m", Revision("step1", 1, weights="w", tokenizer="t"), 1, Extraction(dtype=Dtype.float32))
WIDTH = 64

every_task = pytest.mark.parametrize("name", task_names())


def bag(text: str) -> np.ndarray:
    """Counts of pairs of bytes, hashed: cheap, and knows something of every task."""
    vector = np.zeros(WIDTH, np.float32)
    data = text.encode()
    for first, second in pairwise(data):
        vector[(31 * first + second) % WIDTH] += 1
    return vector


@cache
def vectors(name: str, split: str) -> dict[str, np.ndarray]:
    return {text_digest(text): bag(text) for text in task_texts(name, split)}


class Bag(AbsEncoder):
    """The same vectors without the code under test."""

    def __init__(self) -> None:
        self.asked: dict[str, None] = {}
        self.mteb_model_meta = ModelMeta.create_empty(
            overwrites={"name": "demo/bag", "revision": "1", "similarity_fn_name": ScoringFunction.COSINE}
        )

    def encode(self, inputs, **_):
        texts = [text for batch in inputs for text in batch["text"]]
        self.asked.update(dict.fromkeys(texts))
        return np.stack([bag(text) for text in texts])


@pytest.mark.slow
@every_task
def test_our_score_is_mtebs_and_our_texts_are_those_it_asks_for(name):
    encoder = Bag()
    task = get_task(name).filter_eval_splits(["selection"])
    theirs = mteb.evaluate(encoder, task, cache=None, co2_tracker=False, show_progress_bar=False)
    ours = score_cell(ARM, describe(name, "selection"), vectors(name, "selection"))
    assert ours.value == pytest.approx(theirs.task_results[0].get_score(), abs=1e-6)
    assert tuple(encoder.asked) == task_texts(name, "selection")


@pytest.mark.slow
@every_task
def test_scores_and_replicates_repeat(name):
    spec = describe(name, "confirmation")
    first, copies = confirm_cell(ARM, spec, vectors(name, "confirmation"), 100, 0)
    again, more_copies = confirm_cell(ARM, spec, vectors(name, "confirmation"), 100, 0)
    assert first.value == again.value
    assert (copies == more_copies).all()
    assert copies.std() > 0


@every_task
def test_every_asking_gives_a_fresh_object(name):
    first, second = get_task(name), get_task(name)
    assert first is not second
    assert first.rng_state is not second.rng_state
    assert first.rng_state.getstate() == second.rng_state.getstate()


@pytest.mark.slow_but_one
@every_task
def test_what_chooses_and_what_reports_are_other_data(name):
    # a classifier's head learns from the same texts on both splits
    task = get_task(name)
    task.load_data()
    practice = set(task.dataset["train"]["text"]) if "train" in task.dataset else set()
    selection, confirmation = (set(task_texts(name, split)) - practice for split in ("selection", "confirmation"))
    assert selection
    assert confirmation
    assert not selection & confirmation
    assert describe(name, "selection").revision == describe(name, "confirmation").revision
