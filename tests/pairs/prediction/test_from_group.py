"""Pairs cut from a group."""

from __future__ import annotations

import numpy as np

from pairs.prediction.from_group import pair_from_group, pointmap
from pairs.prediction.predictions import GroupPrediction
from pairs.views.cameras import Cameras


def a_group() -> GroupPrediction:
    """Return two views of different sizes with random depth."""
    rng = np.random.default_rng(0)
    poses = np.tile(np.eye(4), (2, 1, 1))
    turn, _ = np.linalg.qr(np.eye(3) + 0.3 * rng.standard_normal((3, 3)))
    poses[1, :3, :3] = turn * np.sign(np.linalg.det(turn))
    poses[1, :3, 3] = 0.5, -0.1, 0.2
    K = np.array(
        [[[40.0, 0, 15.2], [0, 41.0, 11.7], [0, 0, 1]], [[55.0, 0, 11.5], [0, 55.0, 15.5], [0, 0, 1]]]
    )
    depth = tuple(rng.uniform(1, 3, shape).astype(np.float32) for shape in ((24, 32), (32, 24)))
    return GroupPrediction(Cameras(K, poses), depth, tuple(1 + d for d in depth))


def test_every_point_lies_on_its_pixels_ray() -> None:
    group = a_group()
    points = pointmap(group.depth[0], group.cameras.K[0]).astype(np.float64)
    assert points.shape == (24, 32, 3)
    np.testing.assert_array_equal(points[..., 2], group.depth[0])
    pixels = points @ group.cameras.K[0].T
    x, y = np.meshgrid(np.arange(32), np.arange(24))
    np.testing.assert_allclose(pixels[..., 0] / pixels[..., 2], x, atol=1e-5)
    np.testing.assert_allclose(pixels[..., 1] / pixels[..., 2], y, atol=1e-5)


def test_both_orders_say_the_same_in_their_own_frames() -> None:
    group = a_group()
    entry = pair_from_group(group, 0, 1)
    assert entry.ab is not None
    assert entry.ba is not None
    assert entry.matches is None
    b_from_a = group.cameras.cam_from_world[1] @ group.cameras.world_from_cam[0]
    for in_b, in_a in ((entry.ba.b_in_a, entry.ab.a_in_a), (entry.ba.a_in_a, entry.ab.b_in_a)):
        np.testing.assert_allclose(in_b, in_a @ b_from_a[:3, :3].T + b_from_a[:3, 3], atol=2e-6)
    np.testing.assert_array_equal(entry.ab.b_conf, entry.ba.a_conf)


def test_the_reversed_pair_is_the_pair_reversed() -> None:
    group = a_group()
    forth, back = pair_from_group(group, 0, 1), pair_from_group(group, 1, 0)
    assert forth.ab is not None
    assert back.ba is not None
    np.testing.assert_array_equal(forth.ab.a_in_a, back.ba.a_in_a)
    np.testing.assert_array_equal(forth.ab.b_in_a, back.ba.b_in_a)
