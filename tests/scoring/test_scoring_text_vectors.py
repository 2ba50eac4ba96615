"""Vectors of texts in several arrays, looked up by digest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_search.scoring.text_vectors import TextVectors, gathered


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.data())
def test_rows_are_those_of_the_arrays_one_after_the_other(sizes, data):
    whole = np.arange(2.0 * sum(sizes), dtype=np.float32).reshape(-1, 2)
    places = {f"text {row}": row for row in range(len(whole))}
    found = TextVectors(places, np.split(whole, np.cumsum(sizes)[:-1]))
    assert dict(found).keys() == places.keys()
    assert all((found[text] == whole[row]).all() for text, row in places.items())
    wanted = data.draw(st.lists(st.sampled_from(sorted(places)))) if places else []
    rows = gathered(found, wanted)
    assert rows.shape == (len(wanted), 2)
    assert (rows == gathered(dict(found), wanted).reshape(-1, 2)).all()


def test_a_text_without_a_vector_is_not_in_it():
    found = TextVectors({"here": 0}, [np.ones((1, 3), np.float32)])
    assert "there" not in found
    with pytest.raises(KeyError, match="there"):
        found.rows(["there"])
