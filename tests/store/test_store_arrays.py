"""Arrays under keys."""

import numpy as np
import pytest

from tl_search.store.arrays import ArrayStore

ARRAYS = {"layer_000": np.arange(6, dtype=np.float32).reshape(2, 3), "layer_001": np.ones(4, np.float32)}


@pytest.fixture
def store(tmp_path):
    store = ArrayStore(tmp_path)
    store.put("abc", ARRAYS)
    return store


def test_arrays_come_back_bit_for_bit_all_or_by_name(store):
    whole = store.get("abc")
    assert set(whole) == set(ARRAYS)
    assert all(np.array_equal(whole[name], ARRAYS[name]) for name in ARRAYS)
    assert list(store.get("abc", ["layer_001"])) == ["layer_001"]
    assert "abc" in store


def test_an_absent_key_is_none(store):
    assert store.get("nothing") is None
    assert "nothing" not in store


@pytest.mark.parametrize("place", [0, 20, -1, -20])
def test_a_flipped_bit_is_noticed_and_the_entry_removed(store, place):
    path = store.path("abc")
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)
    assert store.get("abc") is None
    assert store.damaged == ["abc"]
    assert not path.exists()


def test_a_torn_file_is_noticed(store):
    path = store.path("abc")
    path.write_bytes(path.read_bytes()[:-5])
    assert store.get("abc") is None
