"""Names: equal things alike, different things apart, nothing outside its folder."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_search.store.keys import digest, safe_name, text_digest

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner, max_size=4)
)


@given(st.dictionaries(st.text(), plain, min_size=2, max_size=5))
def test_the_order_of_keys_does_not_matter(value):
    assert digest(value) == digest(dict(reversed(value.items())))


def test_what_has_no_plain_form_has_no_digest():
    with pytest.raises(TypeError):
        digest({"path": Path("x")})
    with pytest.raises(ValueError):
        digest(float("nan"))


@given(st.text(max_size=200))
def test_a_safe_name_stays_in_its_folder(text):
    name = safe_name(text)
    folder = Path("/runs/x")
    assert (folder / name).resolve().parent == folder
    assert name not in ("", ".", "..")
    assert len(name) <= 96
    assert name.isascii()


@given(st.text(max_size=40), st.text(max_size=40))
def test_different_texts_get_names_that_differ_without_case(one, other):
    if one != other:
        assert safe_name(one).lower() != safe_name(other).lower()
        assert text_digest(one) != text_digest(other)


def test_a_plain_name_is_kept():
    assert safe_name("pythia-410m") == "pythia-410m"
    assert safe_name("EleutherAI/pythia-410m").startswith("EleutherAI_pythia-410m-")
