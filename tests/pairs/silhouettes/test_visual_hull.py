"""The visual hull of bodies whose silhouettes are known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from masks.errors import MaskError
from pairs.silhouettes.visual_hull import hull_depth, signed_distance, visual_hull
from pairs.views.cameras import Cameras

SIZE = (96, 72)
K = np.array([[120.0, 0, 47.5], [0, 120, 35.5], [0, 0, 1]])
RADIUS = 0.8


def looking(centres: np.ndarray) -> Cameras:
    """Return cameras at places (V, 3) that look at the origin."""
    poses = []
    for centre in centres:
        z = -centre / np.linalg.norm(centre)
        x = np.cross(z, [0.1, 0.2, 1.0])
        x /= np.linalg.norm(x)
        pose = np.eye(4)
        pose[:3, :3] = np.stack([x, np.cross(z, x), z])
        pose[:3, 3] = -pose[:3, :3] @ centre
        poses.append(pose)
    return Cameras(np.tile(K, (len(centres), 1, 1)), np.stack(poses))


def around(count: int = 20) -> np.ndarray:
    """Return places 4 units from the origin, spread over the sphere."""
    k = np.arange(count)
    z = 1 - (2 * k + 1) / count
    a = np.pi * (1 + 5**0.5) * k
    return 4 * np.stack([np.sqrt(1 - z * z) * np.cos(a), np.sqrt(1 - z * z) * np.sin(a), z], -1)


def rays_of(pose: np.ndarray) -> np.ndarray:
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    return np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(K).T @ pose[:3, :3]


def sphere_depth(pose: np.ndarray) -> np.ndarray:
    """Return the depth (H, W) of a sphere about the origin; 0 beside it."""
    rays, centre = rays_of(pose), -pose[:3, :3].T @ pose[:3, 3]
    a, b = (rays**2).sum(-1), rays @ centre
    root = b * b - a * (centre @ centre - RADIUS**2)
    return np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, 0)


@pytest.fixture(scope="module")
def sphere() -> tuple[Cameras, list[np.ndarray]]:
    cameras = looking(around())
    return cameras, [sphere_depth(pose) > 0 for pose in cameras.cam_from_world]


def test_a_sphere_seen_from_everywhere_is_its_own_hull(sphere: tuple[Cameras, list[np.ndarray]]) -> None:
    cameras, masks = sphere
    hull = visual_hull(cameras, masks, nodes=64)
    directions = around(200) / 4
    np.testing.assert_array_less(hull.at(directions * RADIUS * 0.96), 0)
    np.testing.assert_array_less(0, hull.at(directions * RADIUS * 1.12))


def test_depth_is_that_of_the_front(sphere: tuple[Cameras, list[np.ndarray]]) -> None:
    cameras, masks = sphere
    hull = visual_hull(cameras, masks, nodes=96)
    depth = hull_depth(hull, K, cameras.cam_from_world[3], masks[3])
    truth = sphere_depth(cameras.cam_from_world[3])
    inside = masks[3] & (signed_distance(masks[3])[48:-48, 48:-48] < -3)
    assert (depth[inside] > 0).all()
    # Cones of 20 views stand off a sphere by 1 - cos of half their spacing, 3 % of the radius.
    assert np.abs(depth - truth)[inside].max() < 0.08 * RADIUS
    assert np.median((truth - depth)[inside]) > -0.01  # the hull is never inside the body
    assert (depth[~masks[3]] == 0).all()


def test_what_the_frame_cuts_is_unknown_beyond_it() -> None:
    mask = np.zeros((20, 30), bool)
    mask[5:15, 18:] = True
    distance = signed_distance(mask)[48:-48, 48:-48]
    assert distance[10, 29] < distance[10, 19] < 0  # deeper and deeper towards the frame
    assert signed_distance(mask)[48 + 10, 48 + 29 + 20] < 0
    assert signed_distance(mask)[48 + 10, 48 - 20] > 0


def test_masks_that_contradict_each_other_are_named(sphere: tuple[Cameras, list[np.ndarray]]) -> None:
    cameras, masks = sphere
    shifted = [np.roll(mask, 40 * (-1) ** k, axis=1) for k, mask in enumerate(masks)]
    with pytest.raises(MaskError, match="nothing in common"):
        visual_hull(cameras, shifted, nodes=48)
    with pytest.raises(MaskError, match="two views"):
        visual_hull(cameras, [masks[0], *[np.zeros_like(mask) for mask in masks[1:]]])
