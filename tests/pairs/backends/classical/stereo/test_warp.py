"""Transfers by inverse depth say what points in space say."""

from __future__ import annotations

import numpy as np
from textured_disc import disc_scene

from pairs.backends.classical.stereo.warp import (
    from_crop,
    halved_warp,
    plane_homography,
    warp_between,
    warp_image_to,
)


def test_carrying_equals_going_through_space() -> None:
    cameras = disc_scene((0, 25)).cameras
    rng = np.random.default_rng(0)
    x, y, depth = rng.uniform(0, 100, 9), rng.uniform(0, 90, 9), rng.uniform(2, 6, 9)
    points = np.linalg.inv(cameras.K[0]) @ np.stack([x, y, np.ones(9)]) * depth
    there = (cameras.cam_from_world[1] @ cameras.world_from_cam[0])[:3] @ np.vstack([points, np.ones(9)])
    pixels = cameras.K[1] @ there
    x_b, y_b, q_b = warp_image_to(warp_between(cameras, 1, 0), x, y, 1 / depth)
    np.testing.assert_allclose(
        [x_b, y_b, 1 / q_b], [pixels[0] / pixels[2], pixels[1] / pixels[2], there[2]], rtol=1e-12
    )


def test_a_point_behind_the_other_camera_lands_outside_every_picture() -> None:
    cameras = disc_scene((0, 180)).cameras
    x_b, y_b, _ = warp_image_to(
        warp_between(cameras, 1, 0), np.array([60.0]), np.array([40.0]), np.array([1 / 20])
    )
    assert x_b[0] < -1000
    assert y_b[0] < -1000


def test_a_crop_and_a_plane_give_the_same_places() -> None:
    move = warp_between(disc_scene((0, 10)).cameras, 1, 0)
    x, y, _ = warp_image_to(move, np.array([30.0]), np.array([20.0]), np.array([0.25]))
    cropped = from_crop(move, (10, 5))
    np.testing.assert_allclose(
        warp_image_to(cropped, np.array([20.0]), np.array([15.0]), np.array([0.25]))[:2], [x, y], rtol=1e-12
    )
    by_plane = plane_homography(cropped, 0.25) @ [20, 15, 1]
    np.testing.assert_allclose(by_plane[:2] / by_plane[2], [x[0], y[0]], rtol=1e-12)


def test_between_halved_pictures_the_same_points_meet() -> None:
    move = warp_between(disc_scene((0, 10)).cameras, 1, 0)
    x, y, q = (np.array([value]) for value in (30.0, 20.0, 0.25))
    whole = np.array(warp_image_to(move, x, y, q))
    # A pixel of the half picture lies in the middle of four.
    half = np.array(warp_image_to(halved_warp(move), (x - 0.5) / 2, (y - 0.5) / 2, q))
    np.testing.assert_allclose(2 * half[:2] + 0.5, whole[:2], rtol=1e-12)
    np.testing.assert_allclose(half[2], whole[2], rtol=1e-12)
