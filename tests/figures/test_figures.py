"""Every figure is drawn from plain values at every size, and the same values give the same picture."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tl_search.figures.growing_plane import growing_plane_picture
from tl_search.figures.plane import PlaneValues, plane_picture
from tl_search.figures.schedule import schedule_picture
from tl_search.figures.style import BEST, DARK, LIGHT
from tl_search.figures.trajectory import Ending, trajectory_picture
from tl_search.plane.horizon import Horizon


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def has(image, colour):
    """How many pixels have this colour, such as `#d81b60`, within a small tolerance."""
    wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
    return int((abs(image.astype(int) - wanted) <= 12).all(-1).sum())


def values(columns=4, layers=3, **changes):
    shown = {
        "model": "m",
        "checkpoints": [f"step{number}" for number in range(columns)],
        "objective": np.arange(columns * layers, dtype=float).reshape(columns, layers),
        "posterior": True,
        "scored": np.ones((columns, layers), int),
        "n_tasks": 2,
        "final_last": (0, 0),
    }
    return PlaneValues(**{**shown, **changes})


@pytest.mark.parametrize("size", [(1, 2), (5, 3), (154, 37)])
def test_a_plane_of_any_size_is_drawn_in_one_width(size):
    assert 1400 <= pixels(plane_picture(values(*size))).shape[1] <= 1700


def test_only_a_known_best_arm_has_a_ring():
    assert has(pixels(plane_picture(values())), BEST) == 0
    assert has(pixels(plane_picture(values(best=(2, 1), best_name="step2/layer 1"))), BEST) > 100


def test_a_plane_of_which_nothing_is_known_is_drawn_empty():
    shown = values(posterior=False, scored=np.zeros((4, 3), int), objective=np.full((4, 3), np.nan))
    assert has(pixels(plane_picture(shown)), LIGHT.empty) > 100_000


def test_a_trajectory_shows_the_confirmed_score_where_there_is_one():
    confirmed = Ending(52.0, 51.0, 53.5, 47.0, "confirmed")
    drawn = [trajectory_picture([0.1, 0.2], [50, 51], [2, 1], end) for end in (None, confirmed)]
    assert [has(pixels(picture), LIGHT.confirmed) > 100 for picture in drawn] == [False, True]
    assert trajectory_picture([], [], []).startswith(b"\x89PNG")


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_same_values_give_the_same_bytes_in_either_theme(theme):
    assert plane_picture(values(), theme) == plane_picture(values(), theme)
    assert has(pixels(trajectory_picture([0.1], [50], [0], theme=theme)), theme.paper) > 100_000


def test_a_growing_plane_has_pixels_and_a_ring_at_its_best_layer():
    for best in (0, 3):
        latest = [9.0 if layer == best else 2.0 for layer in range(4)]
        image = growing_plane_picture({0: [1.0, None, 1.0, 1.0], 10: latest})
        assert (image.dtype, image.shape[2]) == (np.uint8, 3)
        ring = [int(BEST[place : place + 2], 16) for place in (1, 3, 5)]
        rows = np.nonzero((image == ring).all(-1))[0]
        assert (rows.mean() > image.shape[0] / 2) == (best == 0)  # layer 0 is at the bottom
    assert has(growing_plane_picture({0: [None, None]}), BEST) == 0


@pytest.mark.slow_but_one
@pytest.mark.parametrize("steps", [(0,), (0, 1, 2, 4, 8, 10), tuple(range(5000))])
def test_a_schedule_of_any_length_is_drawn_in_both_kinds(steps):
    horizon = Horizon(max(10, steps[-1]), (5, max(10, steps[-1])))
    assert schedule_picture(steps, horizon, "png", "title").startswith(b"\x89PNG")
    assert b"<svg" in schedule_picture(steps, horizon, "svg", "title")


def test_matplotlib_is_imported_only_when_a_picture_is_drawn():
    names = ["growing_plane", "plane", "schedule", "style", "trajectory"]
    code = f"import sys, {', '.join(f'tl_search.figures.{name}' for name in names)}; print('matplotlib' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
