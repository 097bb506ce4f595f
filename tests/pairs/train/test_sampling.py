from __future__ import annotations

import numpy as np
import pytest
import torch

from masks.errors import UserError
from pairs.train.sampling import TrueView, mutual_pixels, sample_correspondences, seen_at

K = np.array([[20.0, 0, 15.5], [0, 20.0, 11.5], [0, 0, 1]])


def wall(offset: float, depth: np.ndarray | float = 5.0) -> TrueView:
    """Return a view (24, 32) from `offset` to the right on a wall, or on other depths (24, 32)."""
    y, x = np.mgrid[:24, :32]
    in_camera = (
        np.stack([x, y, np.ones_like(x)], -1)
        @ np.linalg.inv(K).T
        * np.broadcast_to(np.asarray(depth), (24, 32))[..., None]
    )
    cam_from_world = np.eye(4)
    cam_from_world[0, 3] = -offset
    return TrueView(in_camera + np.array([offset, 0, 0]), np.ones((24, 32), bool), K, cam_from_world)


def test_a_shifted_wall_matches_by_its_shift():
    a, b = wall(0), wall(0.5)  # 2 pixels at this depth
    pixel_a, pixel_b = mutual_pixels(a, b)
    assert len(pixel_a) == 24 * 30
    assert (pixel_a - pixel_b == 2).all()


def test_what_is_hidden_in_the_other_view_does_not_match():
    step = np.where(np.arange(32) < 16, 5.0, 2.5)[None].repeat(24, 0)
    a, b = wall(0), wall(0.5, step)
    pixel_a, pixel_b = mutual_pixels(a, b)
    # The last column of a is what everything beyond it is clipped to, and may match by chance.
    inside = pixel_a % 32 < 31
    assert inside.any()
    assert (pixel_b[inside] % 32 < 16).all()


def test_invalid_pixels_and_points_behind_the_camera_are_seen_nowhere():
    view = wall(0)
    half = TrueView(view.points, view.valid & (np.arange(32) < 16), K, view.cam_from_world)
    assert ((seen_at(half, view) >= 0) == half.valid.ravel()).all()
    turned = view.cam_from_world.copy()
    turned[[0, 2]] *= -1
    assert (seen_at(view, TrueView(view.points, view.valid, K, turned)) == -1).all()


def test_samples_are_matches_first_then_pixels_that_match_nothing():
    a, b = wall(0), wall(2.0)  # 8 pixels: 24 * 24 matches
    pixel_a, pixel_b = mutual_pixels(a, b)
    found = sample_correspondences(a, b, seed=1, count=100)
    flat_a, flat_b = (xy[0, :, 1] * 32 + xy[0, :, 0] for xy in (found.xy_a, found.xy_b))
    assert found.matched.tolist() == [[True] * 50 + [False] * 50]
    partner = dict(zip(pixel_a.tolist(), pixel_b.tolist(), strict=True))
    assert [partner[pixel] for pixel in flat_a[:50].tolist()] == flat_b[:50].tolist()
    assert not set(flat_a[50:].tolist()) & set(pixel_a.tolist())
    assert not set(flat_b[50:].tolist()) & set(pixel_b.tolist())
    assert len(set(flat_a.tolist())) == 100


def test_one_kind_fills_in_for_the_other():
    few_lone = sample_correspondences(
        wall(0), wall(0.25), seed=1, count=200
    )  # 1 pixel: 24 of a match nothing
    assert int(few_lone.matched.sum()) == 176
    few_matches = sample_correspondences(
        wall(0), wall(7.75), seed=1, count=200
    )  # 31 pixels: one column matches
    assert int(few_matches.matched.sum()) == 24


def test_equal_seeds_give_equal_samples():
    first, second, other = (sample_correspondences(wall(0), wall(1), seed, 64) for seed in (3, 3, 4))
    assert torch.equal(first.xy_a, second.xy_a)
    assert not torch.equal(first.xy_a, other.xy_a)


def test_images_with_too_few_pixels_are_refused():
    with pytest.raises(UserError, match="too few"):
        sample_correspondences(wall(0), wall(0.5), seed=0, count=8192)
