"""Depth from the pictures alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from textured_disc import disc_scene, pictures, views

from pairs.backends.classical.stereo.depth_map import PhotometricDepth, photometric_depth
from pairs.backends.classical.stereo.plane_sweep import choose_planes, sweep_image
from pairs.backends.classical.stereo.warp import warp_between

RANGE = (1 / 5.5, 1 / 2.9)


def depth_of(angles: tuple[float, ...], scale: int = 1) -> tuple[PhotometricDepth, np.ndarray, np.ndarray]:
    """Measure the first view against all others; return it with the true depth and the mask."""
    scene = disc_scene(angles, scale)
    seen = pictures(scene)
    moves = [warp_between(scene.cameras, n, 0) for n in range(1, len(angles))]
    return photometric_depth(seen[0], seen[1:], moves, RANGE, (32, 64)), scene.depth[0], scene.mask[0]


@pytest.mark.parametrize("angles", [(0, -10, 10, -20, 20), (10, 0, 20)])
def test_a_slanted_plane_comes_out_within_a_thousandth(angles: tuple[float, ...]) -> None:
    raw, depth, mask = depth_of(angles)
    error = np.abs(1 / raw.inverse[mask] / depth[mask] - 1)
    assert np.median(error) < 0.001
    assert np.percentile(error, 90) < 0.003


def test_every_object_pixel_has_a_positive_depth_and_no_other() -> None:
    raw, _, mask = depth_of((0, 10))
    np.testing.assert_array_equal(raw.valid, mask)
    assert (raw.inverse[mask] >= np.float32(RANGE[0])).all()
    assert (raw.inverse[~mask] == 0).all()


def test_background_pixels_never_reach_the_sweep(tmp_path: Path) -> None:
    scene = disc_scene((0, 10))
    quiet, loud = (views(scene, tmp_path / str(seed), seed) for seed in (1, 2))
    assert (quiet[0].image != loud[0].image).any()
    for one, other in zip(quiet, loud):
        np.testing.assert_array_equal(sweep_image(one).grey, sweep_image(other).grey)


def test_planes_are_three_quarters_of_a_pixel_apart_within_limits() -> None:
    moves = [warp_between(disc_scene((0, 10)).cameras, 1, 0)]
    assert choose_planes(RANGE, (64, 48), moves, (32, 64)).count == 32
    free = choose_planes(RANGE, (64, 48), moves, (3, 640))
    assert free.first == RANGE[0]
    np.testing.assert_allclose(free.first + (free.count - 1) * free.step, RANGE[1])
    # 150 px focal, a base of 0.69 and 0.16 of inverse depth move a pixel by about 17 pixels.
    assert 18 < free.count < 30


def test_large_pictures_are_swept_at_half_their_size_and_end_at_their_own() -> None:
    raw, depth, mask = depth_of((0, -10, 10), scale=7)
    assert raw.valid.shape == (672, 896)
    np.testing.assert_array_equal(raw.valid, mask)
    error = np.abs(1 / raw.inverse[mask] / depth[mask] - 1)
    # A fourth of what a picture of 128 pixels gives.
    assert np.median(error) < 0.00025
    assert np.percentile(error, 90) < 0.001
