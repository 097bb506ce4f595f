"""Angles between cameras and surfaces."""

from __future__ import annotations

import numpy as np
from textured_disc import AXES, disc_scene

from pairs.backends.classical.induced_matches import least_cosine
from pairs.prediction.predictions import GroupPrediction


def test_cosines_are_those_of_the_plane_in_space() -> None:
    scene = disc_scene((0, 40))
    group = GroupPrediction(scene.cameras, scene.depth, scene.depth)
    x, y = np.array([30, 64, 0, 127]), np.array([20, 48, 0, 95])
    points = np.linalg.inv(scene.cameras.K[0]) @ np.stack([x, y, np.ones(4)]) * scene.depth[0][y, x]
    normal = scene.cameras.cam_from_world[0, :3, :3] @ AXES[:, 2]
    centres = [np.zeros(3), (scene.cameras.cam_from_world[0] @ scene.cameras.world_from_cam[1])[:3, 3]]
    to_cameras = [c[:, None] - points for c in centres]
    expected = np.abs([normal @ d / np.linalg.norm(d, axis=0) for d in to_cameras]).min(0)
    np.testing.assert_allclose(least_cosine(group, 0, 1, x, y), expected, rtol=1e-9)


def test_a_camera_behind_the_surface_counts_negative() -> None:
    scene = disc_scene((0, 180))
    group = GroupPrediction(scene.cameras, scene.depth, scene.depth)
    assert least_cosine(group, 0, 1, np.array([64]), np.array([48]))[0] < 0
