"""Arrays under keys."""

import errno
import hashlib
import json
import os
import resource

import numpy as np
import pytest
from safetensors.numpy import save

from tl_search.store.arrays import ArrayLocation, ArrayStore

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
    assert store.whole("abc")


def test_an_absent_key_is_none(store):
    assert store.get("nothing") is None
    assert "nothing" not in store
    assert not store.whole("nothing")


@pytest.mark.parametrize("header", [b"", b"[]", b"{}", b"null", b'"x"', b'{"a":1}', b'{"__metadata__":{}}', b"\xff"])
def test_a_header_of_another_shape_is_noticed_and_the_entry_removed(store, header):
    store.path("abc").write_bytes(len(header).to_bytes(8, "little") + header)
    assert store.mapped("abc") is None
    assert store.damaged == ["abc"]
    assert "abc" not in store


ZEROS = b"\0" * 16
HOSTILE = {
    "half numbers": ({"dtype": "F16", "shape": [8], "data_offsets": [0, 16]}, ZEROS),
    "numbers that numpy has not": ({"dtype": "BF16", "shape": [8], "data_offsets": [0, 16]}, ZEROS),
    "more numbers than bytes": ({"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 16]}, ZEROS),
    "no numbers, but many": ({"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]}, b""),
}


@pytest.mark.parametrize(("entry", "data"), HOSTILE.values(), ids=HOSTILE)
def test_arrays_that_this_store_never_writes_are_removed(store, entry, data):
    about = {"layer": hashlib.sha256(data).hexdigest(), "note:key": "abc"}
    header = json.dumps({"__metadata__": about, "layer": entry}).encode()
    for read in (store.get, store.mapped, store.whole, store.notes):
        store.path("abc").write_bytes(len(header).to_bytes(8, "little") + header + data)
        assert not read("abc")


@pytest.mark.parametrize("size", [2**60, 90 << 20])
def test_a_header_that_claims_much_takes_no_memory_for_it(store, size):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    store.path("abc").write_bytes(size.to_bytes(8, "little") + b"{}")
    assert store.get("abc") is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_a_pipe_is_not_waited_for(store):
    store.path("abc").unlink()
    os.mkfifo(store.path("abc"))
    assert store.get("abc") is None


def test_a_folder_in_the_place_of_an_entry_is_named(store):
    path = store.path("abc")
    path.unlink()
    path.mkdir()
    for ask in (lambda: store.get("abc"), lambda: store.put("abc", ARRAYS)):
        with pytest.raises(IsADirectoryError) as caught:
            ask()
        assert caught.value.filename == str(path)


@pytest.mark.parametrize("place", [0, 20, 21, -1, -20, -21])
def test_a_flipped_bit_is_noticed_and_the_entry_removed(store, place):
    path = store.path("abc")
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)
    assert not store.whole("abc") if place % 2 else store.get("abc") is None
    assert store.damaged == ["abc"]
    assert not path.exists()


def test_a_torn_file_is_noticed(store):
    path = store.path("abc")
    path.write_bytes(path.read_bytes()[:-5])
    assert store.get("abc") is None


LAYOUT = {name: (array.shape, array.dtype) for name, array in ARRAYS.items()}


def test_arrays_filled_in_place_make_the_same_file(store):
    with store.create("def", LAYOUT) as rooms:
        assert not any(room.any() for room in rooms.values())
        rooms["layer_000"][[1, 0]] = ARRAYS["layer_000"][[1, 0]]
        ArrayLocation.of(rooms["layer_001"]).map()[:] = ARRAYS["layer_001"]  # as another process would
    assert store.path("def").read_bytes() == store.path("abc").read_bytes().replace(b'"abc"', b'"def"')


def test_the_file_is_what_the_format_s_own_library_writes(tmp_path):
    arrays = {"b": np.arange(6, dtype=np.int32), "a": np.ones((2, 0), np.float32), "wide": np.arange(3.0)}
    store = ArrayStore(tmp_path)
    store.put("abc", arrays, {"n\u00f6te": 'say "so"'})
    file = store.path("abc").read_bytes()
    header = json.loads(file[8 : 8 + int.from_bytes(file[:8], "little")])
    again = save(arrays, header["__metadata__"])
    assert len(again) == len(file)
    assert json.loads(again[8 : 8 + int.from_bytes(again[:8], "little")]) == header
    assert again[8 + int.from_bytes(again[:8], "little") :] == file[8 + int.from_bytes(file[:8], "little") :]
    assert store.notes("abc") == {"n\u00f6te": 'say "so"'}


def test_nothing_is_kept_of_a_block_that_failed(store):
    def fill_half():
        with store.create("abd", LAYOUT) as rooms:
            rooms["layer_001"][:] = 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fill_half()
    assert "abd" not in store
    assert list(store.path("abd").parent.iterdir()) == [store.path("abc")]


def test_a_full_disk_is_told_before_a_block_begins(store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match=r"No space left.*abd\.safetensors"), store.create("abd", LAYOUT):
        pytest.fail("the block was begun")
    assert list(store.path("abd").parent.iterdir()) == [store.path("abc")]


def test_mapped_arrays_are_the_file_s_own_pages(store):
    mapped = store.mapped("abc")
    assert all(np.array_equal(mapped[name], ARRAYS[name]) for name in ARRAYS)
    assert not any(array.flags.writeable for array in mapped.values())
    assert np.array_equal(ArrayLocation.of(mapped["layer_000"]).map("r"), ARRAYS["layer_000"])
