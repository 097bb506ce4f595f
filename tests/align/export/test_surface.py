"""Normals are those of the surface, on the side of the camera, and edges bend none."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from plane_scene import NORMAL, plane_scene

from align.export.surface import inverse_depth_slopes, normals_of_depth

K = np.array([[60.0, 1.5, 23.1], [0, 55, 17.4], [0, 0, 1]])
PIXELS = np.stack([*np.meshgrid(np.arange(48), np.arange(36)), np.ones((36, 48))], axis=-1)
RAYS = PIXELS @ np.linalg.inv(K).T

slants = st.floats(-1, 1)


@given(slants, slants, st.floats(0.1, 100))
def test_a_plane_has_its_normal_at_every_pixel(x: float, y: float, distance: float) -> None:
    away = np.array([x, y, 2.0]) / np.linalg.norm([x, y, 2])
    depth = (distance / (RAYS @ away)).astype(np.float32)
    np.testing.assert_allclose(normals_of_depth(depth, K), np.broadcast_to(-away, (36, 48, 3)), atol=1e-4)


def test_normals_of_a_ball_point_outwards() -> None:
    centre, radius = np.array([0.1, -0.1, 4.0]), 1.0
    b = RAYS @ centre / (RAYS**2).sum(-1)
    under = b**2 - (centre @ centre - radius**2) / (RAYS**2).sum(-1)
    depth = np.where(under > 0, b - np.sqrt(np.maximum(under, 0)), 0)
    outward = (RAYS * depth[..., None] - centre) / radius
    facing = (depth > 0) & ((-RAYS * outward).sum(-1) > 0.5 * np.linalg.norm(RAYS, axis=-1))
    angle = np.degrees(np.arccos((normals_of_depth(depth, K) * outward).sum(-1)[facing].clip(-1, 1)))
    assert np.median(angle) < 2
    assert angle.max() < 12


def test_a_step_bends_neither_side() -> None:
    depth = np.full((36, 48), 2.0, np.float32)
    depth[:, 20:] = 3
    depth[10:20] = 0
    np.testing.assert_array_equal(inverse_depth_slopes(depth, K), 0)


def test_what_is_known_of_one_pixel_or_of_none_faces_the_camera() -> None:
    depth = np.zeros((36, 48), np.float32)
    np.testing.assert_array_equal(normals_of_depth(depth, K), np.broadcast_to([0, 0, -1.0], (36, 48, 3)))
    depth[7, 9] = 2
    np.testing.assert_array_equal(normals_of_depth(depth, K)[7, 9], [0, 0, -1])


def test_neighbours_on_one_line_leave_the_slope_across_it_at_zero() -> None:
    depth = np.zeros((36, 48), np.float32)
    depth[5] = 1 / (0.5 + 0.001 * np.arange(48))
    slopes = inverse_depth_slopes(depth, K)
    np.testing.assert_allclose(slopes[5, :, 0], 0.001 * depth[5], rtol=1e-3)
    np.testing.assert_array_equal(slopes[..., 1], 0)


def test_normals_of_a_scene_are_those_of_the_world() -> None:
    scene = plane_scene()
    for view, K_grid, pose in zip(scene.views, scene.cameras.K, scene.cameras.cam_from_world):
        normals = normals_of_depth(view.depth, K_grid) @ pose[:3, :3]
        np.testing.assert_allclose(normals, np.broadcast_to(NORMAL, normals.shape), atol=1e-4)
