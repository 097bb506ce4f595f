"""Pinhole cameras: poses and their inverses, centres, projections."""

from __future__ import annotations

import numpy as np
import pytest
import roma
import torch
from hypothesis import given
from hypothesis import strategies as st

from pairs.views.cameras import Cameras, camera_centres, is_rigid, project

seeds = st.integers(0, 2**32 - 1)


def cameras(seed: int, num_views: int = 4) -> Cameras:
    rng = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (num_views, 1, 1))
    generator = torch.Generator().manual_seed(seed % 2**31)
    drawn = torch.randn(num_views, 3, 2, generator=generator, dtype=torch.float64)
    poses[:, :3, :3] = roma.special_gramschmidt(drawn).numpy()
    poses[:, :3, 3] = rng.normal(size=(num_views, 3))
    K = np.tile(np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]]), (num_views, 1, 1))
    return Cameras(K, poses)


@given(seeds)
def test_world_from_cam_is_the_inverse(seed):
    some = cameras(seed)
    both = some.world_from_cam @ some.cam_from_world
    np.testing.assert_allclose(both, np.tile(np.eye(4), (4, 1, 1)), atol=1e-12)
    assert all(is_rigid(pose) for pose in (*some.cam_from_world, *some.world_from_cam))


@given(seeds)
def test_a_centre_is_the_origin_of_its_camera(seed):
    some = cameras(seed)
    own = np.einsum("vij,vj->vi", some.cam_from_world, np.c_[some.centres, np.ones(4)])
    np.testing.assert_allclose(own[:, :3], 0, atol=1e-12)
    np.testing.assert_array_equal(camera_centres(some.cam_from_world), some.centres)


@given(seeds)
def test_points_project_as_by_hand(seed):
    some = cameras(seed, 2)
    points = np.random.default_rng(seed).normal((0, 0, 8), 1, (5, 3))
    xy, in_camera = project(some, points)
    for v in range(2):
        for p in range(5):
            x, y, z = some.cam_from_world[v, :3, :3] @ points[p] + some.cam_from_world[v, :3, 3]
            np.testing.assert_allclose(in_camera[v, p], (x, y, z), atol=1e-12)
            np.testing.assert_allclose(xy[v, p], (500 * x / z + 320, 510 * y / z + 240), rtol=1e-9)


def test_a_point_behind_a_camera_has_a_pixel_and_a_negative_depth():
    plain = Cameras(np.eye(3)[None], np.eye(4)[None])
    xy, in_camera = project(plain, np.array([[2.0, 4, -2], [1, 0, 0], [0, 0, 0]]))
    assert xy[0, 0].tolist() == [-1, -2]
    assert in_camera[0, 0, 2] == -2
    assert xy[0, 1, 0] == np.inf
    assert np.isnan(xy[0, 2]).all()


def test_shapes_that_are_no_cameras_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3, 3\) and \(1, 4, 4\)"):
        Cameras(np.tile(np.eye(3), (2, 1, 1)), np.eye(4)[None])
    with pytest.raises(ValueError, match=r"\(1, 3, 4\)"):
        Cameras(np.eye(3)[None], np.eye(4)[None, :3])


@pytest.mark.parametrize("off", [1e-6, 1e-3])
def test_rigid_is_meant_to_rounding(off):
    for row, column in ((0, 0), (1, 2), (3, 0), (3, 3)):
        pose = np.eye(4)
        pose[row, column] += off
        assert is_rigid(pose) == (off < 1e-4)
    assert is_rigid(np.array([[0.0, -1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]]))
    assert not is_rigid(np.array([[0.0, 1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]]))
