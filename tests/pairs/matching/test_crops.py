"""Crops know where they come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masks.errors import UserError
from pairs.matching.crops import FullPhoto, facing_camera, facing_crop, plain_crop, warp_image

K = np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]])


def photo(with_K: bool = True) -> FullPhoto:
    rng = np.random.default_rng(0)
    inside = np.zeros((480, 640), bool)
    inside[100:300, 150:500] = True
    return FullPhoto("p", rng.integers(0, 256, (480, 640, 3), np.uint8), inside, K if with_K else None)


def test_a_plain_crop_is_a_part_of_the_photo():
    crop = plain_crop(photo(), np.array([120, 80, 220, 180]))
    np.testing.assert_array_equal(crop.image, photo().image[80:180, 120:220])
    assert crop.inside[20, 30]
    assert not crop.inside[19, 30]
    np.testing.assert_array_equal(crop.photo_from_crop @ [30, 20, 1], [150, 100, 1])
    assert crop.tag == "p[80:180,120:220]"


@given(st.integers(0, 2**31))
def test_a_facing_camera_only_turns(seed):
    rng = np.random.default_rng(seed)
    left, top = rng.integers(0, 300, 2)
    window = np.array([left, top, left + rng.integers(40, 300), top + rng.integers(40, 170)])
    facing = facing_camera(K, window)
    np.testing.assert_allclose(facing.R @ facing.R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(facing.R) > 0
    np.testing.assert_allclose(facing.K[:2, 2], np.array(facing.size) / 2)
    # The outer corner stays where it was.
    outer = np.where(np.abs(window[2:] - K[:2, 2]) > np.abs(window[:2] - K[:2, 2]), window[2:], window[:2])
    corner = np.where(outer == window[2:], facing.size, 0)
    at = facing.photo_from_crop @ [*corner, 1]
    np.testing.assert_allclose(at[:2] / at[2], outer, atol=1e-8)


def test_a_target_scales_a_facing_camera():
    window = np.array([100, 50, 300, 250])
    plain, scaled = facing_camera(K, window), facing_camera(K, window, (400, 500))
    assert scaled.size == (400, 500)
    assert scaled.K[0, 0] == pytest.approx(2 * plain.K[0, 0])
    np.testing.assert_allclose(scaled.K[:2, 2], [200, 250])


def test_the_identity_warps_nothing():
    source = photo()
    np.testing.assert_array_equal(warp_image(source.image, (640, 480), np.eye(3)), source.image)
    np.testing.assert_array_equal(warp_image(source.inside, (640, 480), np.eye(3)), source.inside)


def test_outside_of_the_photo_nothing_is_valid():
    source = photo()
    away = np.array([[1.0, 0, 600], [0, 1, 0], [0, 0, 1]])
    assert not warp_image(np.ones_like(source.inside), (100, 100), away)[:, 41:].any()
    assert (warp_image(np.ones((480, 640, 3), np.float32), (100, 100), away)[:, 41:] == 0).all()


def test_crops_carry_along_what_is_known_at_their_pixels():
    marked = replace(photo(), marks=np.arange(480 * 640, dtype=np.int32).reshape(480, 640))
    window = np.array([500, 300, 620, 420])
    plain, facing = plain_crop(marked, window), facing_crop(marked, window)
    np.testing.assert_array_equal(plain.marks, marked.marks[300:420, 500:620])
    # Numbers beyond what a float32 holds exactly would come back as others.
    large = replace(marked, marks=marked.marks + (2**30 + 1))
    np.testing.assert_array_equal(
        facing_crop(large, window).marks[facing.marks > 0], facing.marks[facing.marks > 0] + 2**30 + 1
    )
    y, x = np.divmod(facing.marks[60, 60], 640)
    at = facing.photo_from_crop @ [60.5, 60.5, 1]
    np.testing.assert_array_equal(np.floor(at[:2] / at[2]), [x, y])
    assert plain_crop(photo(), window).marks is None


def test_a_facing_crop_needs_intrinsics():
    assert facing_crop(photo(), np.array([10, 10, 110, 90])).image.shape == (80, 100, 3)
    with pytest.raises(UserError, match="intrinsics"):
        facing_crop(photo(with_K=False), np.array([10, 10, 110, 90]))


def test_a_photo_whose_mask_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        FullPhoto("p", np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4), bool))
