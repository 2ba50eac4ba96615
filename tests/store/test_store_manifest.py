"""A folder with a manifest is whole, and every damage is found."""

import pytest

from tl_search.store.manifest import NAME, DamagedError, verify, write_manifest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "weights").write_bytes(bytes(range(256)))
    (tmp_path / "config").write_text("{}")
    write_manifest(tmp_path, step=5)
    return tmp_path


def test_a_whole_folder_gives_its_facts(folder):
    assert verify(folder)["step"] == 5


def _flip(path):
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / NAME).unlink(), "never finished"),
        (lambda f: (f / NAME).write_text("{"), "damaged"),
        (lambda f: (f / "config").unlink(), "config: missing"),
        (lambda f: (f / "deep/weights").write_bytes(b"short"), "5 bytes, expected 256"),
        (lambda f: _flip(f / "deep/weights"), "sha256 differs"),
        (lambda f: (f / NAME).write_text('{"files": {"../x": {"bytes": 1, "sha256": ""}}}'), "'../x' is no valid name"),
    ],
)
def test_every_damage_is_named(folder, damage, said):
    damage(folder)
    with pytest.raises(DamagedError, match=said):
        verify(folder)
