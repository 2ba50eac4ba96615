"""The pictures: marks where they belong, readable at every size."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from synthetic_run import write_search_run

from tl_search.figures.style import DARK, LIGHT
from tl_search.plane.arm_name import ArmName
from tl_search.report.findings import read_findings
from tl_search.report.pictures import draw_plane, draw_trajectory

RING = (216, 27, 96)


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def near(image, colour, tolerance=12):
    return (abs(image - np.array(colour)) <= tolerance).all(-1)


@pytest.mark.parametrize(
    ("revisions", "n_layers", "posterior"), [(1, 1, True), (8, 4, False), (28, 24, True), (154, 36, False)]
)
def test_planes_of_every_size_are_drawn(tmp_path, revisions, n_layers, posterior):
    pulls = min(12, revisions)
    write_search_run(tmp_path, revisions=revisions, n_layers=n_layers, pulls=pulls, posterior=posterior, finished=False)
    image = pixels(draw_plane(read_findings(tmp_path), LIGHT))
    assert 1400 <= image.shape[1] <= 1700
    assert 500 <= image.shape[0] <= 1300
    assert near(image, RING).sum() > 50


def test_the_ring_is_at_the_winner(tmp_path):
    """A run whose winner is in the left half has its ring there, and the same on the right."""
    for side in (2, 9):
        folder = tmp_path / str(side)
        findings = read_findings(write_search_run(folder, revisions=12, n_layers=6, pulls=6, finished=False))
        step = findings.trajectory[-1]
        arm = ArmName(findings.plane.revisions[side].name, 5)
        object.__setattr__(step, "recommended", replace(step.recommended, arm=arm))
        image = pixels(draw_plane(findings, LIGHT))
        rows, columns = np.nonzero(near(image, RING)[: int(image.shape[0] * 0.7)])
        assert columns.mean() / image.shape[1] == pytest.approx(0.07 + 0.8 * (side + 0.5) / 12, abs=0.06)
        assert rows.mean() / image.shape[0] < 0.35


def test_a_plane_without_posterior_leaves_unmeasured_arms_empty(tmp_path):
    findings = read_findings(write_search_run(tmp_path, pulls=3, posterior=False))
    image = pixels(draw_plane(findings, LIGHT))
    empty = tuple(int(LIGHT.empty[place : place + 2], 16) for place in (1, 3, 5))
    assert near(image, empty, 2).mean() > 0.4


def test_dark_pictures_are_dark_and_light_ones_light(tmp_path):
    findings = read_findings(write_search_run(tmp_path, pulls=3))
    for draw in (draw_plane, draw_trajectory):
        assert pixels(draw(findings, LIGHT))[0, 0].min() > 240
        assert pixels(draw(findings, DARK))[0, 0].max() < 40


@pytest.mark.parametrize("pulls", [0, 1, 30])
def test_a_trajectory_of_any_length_is_drawn(tmp_path, pulls):
    findings = read_findings(write_search_run(tmp_path, pulls=pulls, finished=False))
    assert pixels(draw_trajectory(findings, LIGHT)).shape[1] > 1400
    assert pixels(draw_plane(findings, LIGHT)).shape[1] > 1400


def test_the_confirmed_score_is_in_the_trajectory_only_when_there_is_one(tmp_path):
    confirmed = tuple(int(LIGHT.confirmed[place : place + 2], 16) for place in (1, 3, 5))
    for finished in (False, True):
        findings = read_findings(write_search_run(tmp_path / str(finished), pulls=3, finished=finished))
        seen = near(pixels(draw_trajectory(findings, LIGHT)), confirmed).sum()
        assert bool(seen > 100) == finished


def test_names_with_mathematics_in_them_are_written_as_they_are(tmp_path):
    path = write_search_run(tmp_path, pulls=2, finished=False) / "plane.json"
    path.write_text(path.read_text().replace("pythia", "$\\\\frac{1$x^_"))
    assert draw_plane(read_findings(tmp_path), LIGHT).startswith(b"\x89PNG")
