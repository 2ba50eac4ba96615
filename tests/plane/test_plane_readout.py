"""What a readout may be, how it is named, and that it is part of an arm's identity."""

import pytest

from tl_search.plane.arm import Arm, Plane
from tl_search.plane.arm_name import ArmName
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.readout import RAW, Form, Readout, Readouts, Shrinkage
from tl_search.plane.revision import Revision

WHITENED, JOINED = Readout(Form.whitened), Readout(Form.joined, rank=64, window=3)
EXTRACTION = Extraction(dtype=Dtype.float32)
REVISIONS = tuple(Revision(f"step{step}", step, weights=f"w{step}", tokenizer="t") for step in (1, 2))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"form": Form.whitened, "rank": 0}, "rank: must be >= 1, got 0"),
        ({"form": Form.whitened, "rank": -3}, "rank: must be >= 1, got -3"),
        ({"form": Form.joined, "window": 0}, "window: must be >= 1, got 0"),
        ({"form": Form.mean, "rank": 8}, "rank: must be null with form=mean; it is for whitened, joined"),
        ({"form": Form.whitened, "window": 2}, "window: must be null with form=whitened; it is for mean, joined"),
        (
            {"form": Form.mean, "shrinkage": Shrinkage.none},
            "shrinkage: must be left out with form=mean, which does not whiten",
        ),
    ],
)
def test_what_no_readout_can_be_is_refused(settings, told):
    with pytest.raises(ValueError) as refused:
        Readout(**settings)
    assert str(refused.value) == told


def test_two_entries_that_are_the_same_readout_are_refused():
    with pytest.raises(ValueError, match=r"^entries\.b: must differ from entries\.a; both are whitened$"):
        Readouts({"raw": RAW, "a": WHITENED, "b": Readout(Form.whitened)})


def test_a_search_always_looks_at_raw():
    assert Readouts({"whitened": WHITENED}).used == (RAW, WHITENED)
    assert Readouts({"whitened": WHITENED, "raw": RAW}).used == (RAW, WHITENED)


def test_names_differ_exactly_where_readouts_do():
    ones = [RAW, WHITENED, JOINED, Readout(Form.joined), Readout(Form.joined, rank=64), Readout(Form.mean, window=3)]
    ones.append(Readout(Form.whitened, shrinkage=Shrinkage.none))
    assert len({one.name for one in ones}) == len(ones)
    assert (JOINED.name, WHITENED.name) == ("joined-rank64-window3", "whitened")


@pytest.mark.parametrize(
    ("readout", "layers"), [(WHITENED, [4]), (JOINED, [2, 3, 4]), (Readout(Form.mean), [0, 1, 2, 3, 4])]
)
def test_which_layers_a_readout_takes(readout, layers):
    assert list(readout.layers(4)) == layers


def test_a_window_is_shorter_near_the_first_layer():
    assert list(JOINED.layers(1)) == [0, 1]


def test_an_arm_without_a_readout_has_the_identity_that_it_always_had():
    assert "readout" not in Arm("m", REVISIONS[0], 3, EXTRACTION).identity()


def test_readouts_and_the_texts_of_their_fit_make_arms_different():
    ones = [Arm("m", REVISIONS[0], 3, EXTRACTION, readout, on) for readout in (WHITENED, JOINED) for on in ("a", "b")]
    assert len({Arm("m", REVISIONS[0], 3, EXTRACTION).key, *(one.key for one in ones)}) == 5


def test_a_plane_holds_every_layer_of_every_readout_and_knows_their_places():
    plane = Plane("m", REVISIONS, 2, EXTRACTION, (RAW, WHITENED), "texts")
    assert [plane.position(arm) for arm in plane.arms()] == list(range(12))
    column = [(arm.layer, arm.readout.name, arm.fitted_on) for arm in plane.column(REVISIONS[1])]
    assert column == [(layer, "raw", "") for layer in range(3)] + [(layer, "whitened", "texts") for layer in range(3)]
    assert plane.final_last.name == ArmName("step2", 2)


@pytest.mark.parametrize(
    ("text", "name", "plain"),
    [
        ("step10:5", ArmName("step10", 5), ["step10", 5]),
        ("step10:5:whitened", ArmName("step10", 5, "whitened"), ["step10", 5, "whitened"]),
        ("step10/layer 5/joined-rank64", ArmName("step10", 5, "joined-rank64"), ["step10", 5, "joined-rank64"]),
        ("step10/layer 5", ArmName("step10", 5), ["step10", 5]),
    ],
)
def test_an_arm_is_typed_printed_and_written(text, name, plain):
    assert ArmName.parse(text) == name == ArmName.read(plain)
    assert name.plain() == plain
    assert ArmName.parse(str(name)) == name
