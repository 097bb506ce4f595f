"""Outlines: finer than a pixel, of the largest part, honest at the frame."""

from __future__ import annotations

import numpy as np
import pytest

from pairs.rings.outline import HULL_POINTS, outline_of


def disc(centre: tuple[float, float], radius: float, size: tuple[int, int] = (300, 200)) -> np.ndarray:
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    return np.hypot(x - centre[0], y - centre[1]) < radius


@pytest.mark.parametrize("radius", [8.3, 30.25, 80.7])
def test_the_hull_of_a_disc_is_its_circle_to_half_a_pixel(radius):
    outline = outline_of(disc((151.3, 98.6), radius))
    assert outline is not None
    assert outline.hull.shape == (HULL_POINTS, 2)
    for points in (outline.hull, outline.contour):
        away = np.hypot(*(points - (151.3, 98.6)).T) - radius
        # Pixels are in or out: their staircase is a noise of a quarter of a pixel, of which a hull takes the
        # outermost.
        assert abs(np.mean(away)) < 0.2
        assert np.abs(away).max() < 0.6
    assert len(np.unique(outline.hull, axis=0)) > 20
    np.testing.assert_allclose(outline.centroid, (151.3, 98.6), atol=0.2)
    assert not outline.cut


def test_a_slanted_edge_is_found_between_the_pixels():
    x, y = np.meshgrid(np.arange(300), np.arange(300))
    mask = (np.abs(x - 150 + 0.37 * (y - 150)) < 60.4) & (np.abs(y - 150) < 100)
    outline = outline_of(mask)
    assert outline is not None
    middle = outline.contour[np.abs(outline.contour[:, 1] - 150) < 60]
    off = np.abs(np.abs(middle[:, 0] - 150 + 0.37 * (middle[:, 1] - 150)) - 60.4) / np.hypot(1, 0.37)
    assert np.sqrt(np.mean(off**2)) < 0.15


def test_the_distance_map_is_signed_and_in_pixels_of_the_photo():
    small, large = outline_of(disc((150, 100), 60.0)), outline_of(disc((1500, 1000), 600.0, (3000, 2000)))
    assert small is not None
    assert large is not None
    assert (small.every, large.every) == (1, 4)
    assert large.distance.shape == (500, 750)
    for outline, scale in ((small, 1), (large, 10)):
        height, width = outline.distance.shape
        x, y = np.meshgrid(np.arange(width), np.arange(height))
        true = np.hypot(outline.every * x - 150 * scale, outline.every * y - 100 * scale) - 60 * scale
        np.testing.assert_allclose(outline.distance, true, atol=0.8, rtol=1e-3)


def test_only_the_largest_part_counts_and_holes_do_not():
    mask = disc((150, 100), 60) & ~disc((150, 100), 30)
    plain, dusty = outline_of(disc((150, 100), 60)), outline_of(mask | disc((20, 20), 9))
    assert plain is not None
    assert dusty is not None
    np.testing.assert_array_equal(dusty.hull, plain.hull)


def test_what_lies_on_the_frame_is_marked_and_is_no_contour():
    outline = outline_of(disc((150, 180), 60))
    assert outline is not None
    assert outline.cut
    bottom = outline.hull[:, 1] > 196.9
    np.testing.assert_array_equal(outline.on_frame, bottom)
    assert outline.contour[:, 1].max() < 197


@pytest.mark.parametrize("mask", [np.zeros((20, 30), bool), disc((15, 10), 0.6, (30, 20))])
def test_nothing_has_no_outline(mask):
    assert outline_of(mask) is None


def test_a_mask_that_fills_the_photo_has_no_silhouette():
    outline = outline_of(np.ones((40, 60), bool))
    assert outline is not None
    assert outline.on_frame.all()
    assert len(outline.contour) == 0
