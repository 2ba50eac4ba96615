"""A folder that is not there is told with the one that was meant."""

import pytest

from tl_search.errors.nearest import nearest_name, no_folder


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("mine", "mine; did you mean {}/mine-0f3a1b2c?"),  # runs' names end in a digest
        ("tiny-log-s0-9e8d7c6", "tiny-log-s0-9e8d7c6; did you mean {}/tiny-log-s0-9e8d7c6b?"),
        ("elsewhere", "elsewhere; make one"),
        ("nowhere/mine", "nowhere/mine; make one"),
    ],
)
def test_a_folder_like_it_is_named(tmp_path, named, told):
    for name in ("mine-0f3a1b2c", "tiny-log-s0-9e8d7c6b"):
        (tmp_path / name).mkdir()
    assert no_folder(tmp_path / named, "make one") == f"there is no folder {tmp_path}/" + told.format(tmp_path)


def test_nothing_like_it_and_nothing_to_say(tmp_path):
    assert no_folder(tmp_path / "mine") == f"there is no folder {tmp_path}/mine"


@pytest.mark.parametrize(
    ("word", "options", "near"),
    [
        ("step41", ["step40", "step4"], None),  # another number is another thing
        ("step-40", ["step40", "step4"], "step40"),
        (4, ["40", "5"], None),
        ("pythia-14", ["pythia-14m", "pythia-410m"], "pythia-14m"),
        ("bAndti", ["bandit"], "bandit"),
    ],
)
def test_a_name_with_another_number_is_no_misspelling(word, options, near):
    assert nearest_name(word, options) == near
