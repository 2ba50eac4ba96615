"""The order of training blocks, and where a resumed run goes on in it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tl_search.training.data import BlockLoader, held_out_batches, take_blocks
from tl_search.training.ordered import stream

TOKENS = np.arange(101, dtype=np.uint16)  # 20 blocks of 5, each beginning with its own number × 5


def starts(batches) -> list[int]:
    return [int(start) for batch in batches for start in batch[:, 0]]


def test_an_epoch_takes_every_block_once():
    loader = BlockLoader(TOKENS, context=5, batch_size=4, batches_per_step=1, seed=0)
    assert sorted(starts(loader)) == list(range(0, 100, 5))


def test_a_block_holds_its_context_and_the_token_to_predict_last():
    assert take_blocks(TOKENS, np.array([0, 1]), 5).tolist() == [[0, 1, 2, 3, 4, 5], [5, 6, 7, 8, 9, 10]]


def test_the_order_follows_seed_and_epoch():
    def two_epochs(seed):
        loader = BlockLoader(TOKENS, 5, 4, 1, seed)
        return starts(loader), starts(loader)

    first, second = two_epochs(seed=0)
    assert first != second
    assert (first, second) == two_epochs(seed=0)
    assert first != two_epochs(seed=1)[0]


def test_an_epoch_holds_whole_steps_only():
    assert len(BlockLoader(TOKENS, context=5, batch_size=2, batches_per_step=3, seed=0)) == 9


@pytest.mark.parametrize(("limit", "batches"), [(None, 9), (1.0, 9), (0.5, 3), (7, 6), (100, 9)])
def test_a_limited_epoch_is_the_first_steps_of_the_whole_one_and_the_next_one_is_another(limit, batches):
    whole, short = (BlockLoader(TOKENS, 5, 2, 3, seed=0, limit=most) for most in (None, limit))
    for _ in range(2):  # epochs
        assert starts(short) == starts(whole)[: 2 * batches]
    assert (len(short), short.steps) == (batches, batches // 3)
    with pytest.raises(ValueError, match=r"^data: length was 9 when the run was saved, got 3"):
        BlockLoader(TOKENS, 5, 2, 3, seed=0, limit=3).load_state_dict(whole.state_dict())


def test_a_limit_below_a_step_is_refused():
    message = r"^trainer\.limit_train_batches: must leave a step of 3 batches, got 2, which leaves 2 of 9$"
    with pytest.raises(ValueError, match=message):
        BlockLoader(TOKENS, 5, 2, 3, seed=0, limit=2)


@settings(max_examples=40, deadline=None)
@given(consumed=st.integers(0, 23), seed=st.integers(0, 5))
def test_a_restored_loader_goes_on_with_the_very_next_batch(consumed, seed):
    def endless(loader):
        while True:
            yield from loader

    whole = BlockLoader(TOKENS, 5, 3, 2, seed)
    batches = endless(whole)
    for _ in range(consumed):
        next(batches)
    restored = BlockLoader(TOKENS, 5, 3, 2, seed)
    rest = endless(restored)
    restored.load_state_dict(whole.state_dict())  # after iter(), as Lightning does
    for _ in range(8):
        assert torch.equal(next(rest), next(batches))


def test_batches_made_ahead_are_the_same_and_the_place_is_that_of_what_was_consumed():
    whole, ahead = BlockLoader(TOKENS, 5, 3, 2, seed=1), BlockLoader(TOKENS, 5, 3, 2, seed=1, workers=2)
    state = torch.get_rng_state()
    for expected, batch, _ in zip(whole, ahead, range(3), strict=False):
        assert torch.equal(batch, expected)
        assert ahead.state_dict() == whole.state_dict()
    assert torch.equal(torch.get_rng_state(), state)


def test_a_state_of_other_data_is_refused():
    state = BlockLoader(TOKENS, 5, 4, 1, seed=0).state_dict()
    with pytest.raises(ValueError, match=r"^data: blocks was 20"):
        BlockLoader(TOKENS[:50], 5, 4, 1, seed=0).load_state_dict(state)
    with pytest.raises(ValueError, match=r"^data: seed was 0"):
        BlockLoader(TOKENS, 5, 4, 1, seed=1).load_state_dict(state)


def test_held_out_blocks_are_spread_over_all_held_out_text():
    assert starts(held_out_batches(TOKENS, context=5, batch_size=2, batches=2)) == [0, 30, 65, 95]


def test_more_held_out_batches_than_there_are_gives_each_block_once():
    assert starts(held_out_batches(TOKENS, context=5, batch_size=8, batches=9)) == list(range(0, 100, 5))
    assert held_out_batches(TOKENS[:5], context=5, batch_size=8, batches=9) == []


def test_streams_of_one_seed_differ_by_use():
    assert len({stream(0, "order", 0), stream(0, "order", 1), stream(0, "weights"), stream(1, "weights")}) == 4
