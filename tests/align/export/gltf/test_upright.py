"""Up is found from the cameras, and a scene stands upright for a viewer whose y is up."""

from __future__ import annotations

import numpy as np
import pytest
from camera_ring import ring
from scipy.spatial.transform import Rotation

from align.export.gltf.upright import upright_transform
from pairs.rings.upright import up_of_cameras
from pairs.views.cameras import Cameras

K = np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])
TILT = Rotation.from_rotvec([0.7, -1.9, 0.4]).as_matrix()


def test_up_is_the_normal_of_the_ring_in_any_frame() -> None:
    np.testing.assert_allclose(up_of_cameras(ring(8, TILT, K)), TILT @ [0, 0, 1], atol=1e-9)


@pytest.mark.parametrize("count", [1, 2])
def test_up_of_few_cameras_is_their_own(count: int) -> None:
    up = up_of_cameras(ring(count, np.eye(3), K))
    np.testing.assert_allclose(np.linalg.norm(up), 1)
    assert up[2] > 0.7


def test_an_upright_scene_has_y_up_and_the_first_camera_in_front() -> None:
    cameras, points = ring(8, TILT, K), np.random.default_rng(0).normal(size=(99, 3))
    transform = upright_transform(cameras, points)
    R = transform[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) > 0
    np.testing.assert_allclose(R @ TILT @ [0, 0, 1], [0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(R @ np.median(points, axis=0) + transform[:3, 3], 0, atol=1e-12)
    first = R @ cameras.centres[0] + transform[:3, 3]
    assert abs(first[0]) < 1e-9
    assert first[2] > 2


def test_cameras_that_look_straight_down_or_every_way_leave_a_rigid_transform() -> None:
    above = np.diag([1.0, -1, -1, 1])
    above[2, 3] = 3
    every_way = np.stack([np.eye(4), np.diag([-1.0, -1, 1, 1])])
    for poses in (above[None], every_way):
        R = upright_transform(Cameras(np.tile(K, (len(poses), 1, 1)), poses), np.zeros((1, 3)))[:3, :3]
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
