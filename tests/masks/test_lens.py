"""Lenses against OpenCV, there and back; ideal pictures against exact warps."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masks.errors import FormatError
from masks.lens import (
    Lens,
    distort,
    ideal_frame,
    ideal_from_photo,
    photo_from_ideal,
    pixels_of,
    remap_to_ideal,
    remap_to_photo,
    shown_by_photo,
    undistort,
)

SIZE = (320, 240)
K = np.array([[400.0, 0, 161.0], [0, 395.0, 118.5], [0, 0, 1]])
LENSES = [
    Lens("SIMPLE_RADIAL", (-0.3,)),
    Lens("SIMPLE_RADIAL", (0.3,)),
    Lens("RADIAL", (-0.2, 0.15)),
    Lens("OPENCV", (-0.2, 0.1, 0.003, -0.002)),
    Lens("FULL_OPENCV", (0.1, 0.2, 0.001, 0.002, 0.03, 0.05, 0.1, 0.02)),
]
every_lens = pytest.mark.parametrize("lens", LENSES, ids=lambda lens: f"{lens.model}{lens.coefficients[0]:+}")


def places(count: int = 500, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, (SIZE[0] - 0.5, SIZE[1] - 0.5), (count, 2))


@every_lens
def test_pixels_are_those_of_opencv(lens: Lens) -> None:
    rays = np.random.default_rng(0).uniform(-0.5, 0.5, (200, 2))
    in_space = np.concatenate([rays, np.ones((200, 1))], axis=1)
    expected, _ = cv2.projectPoints(in_space, np.zeros(3), np.zeros(3), K, lens.opencv)
    np.testing.assert_allclose(pixels_of(K, distort(lens, rays)), expected[:, 0], atol=1e-9)


@every_lens
def test_there_and_back_is_exact(lens: Lens) -> None:
    frame = ideal_frame(lens, K, SIZE)
    np.testing.assert_allclose(
        photo_from_ideal(frame, ideal_from_photo(frame, places())), places(), atol=1e-9
    )


@given(k1=st.floats(-0.4, 0.4), k2=st.floats(-0.2, 0.2), ratio=st.floats(0.5, 2))
def test_another_focal_distorts_the_same_pixels(k1: float, k2: float, ratio: float) -> None:
    lens, other = Lens("RADIAL", (k1, k2)), K * np.array([[ratio, 1, 1], [1, ratio, 1], [1, 1, 1]])
    rays = np.random.default_rng(1).uniform(-0.3, 0.3, (50, 2))
    shown = pixels_of(K, distort(lens, rays))
    again = pixels_of(other, distort(lens.at_focal(ratio), rays / ratio))
    np.testing.assert_allclose(again, shown, atol=1e-9)


def test_a_lens_that_folds_shows_nothing_beyond_its_fold() -> None:
    lens = Lens("SIMPLE_RADIAL", (-0.3,))
    # 1 - 0.9 r^2 falls to 0.2 at r = 0.943.
    assert lens.valid_radius == pytest.approx(0.942, abs=0.002)
    assert np.isnan(undistort(lens, np.array([[0.9, 0.5]]))).all()
    assert Lens("SIMPLE_RADIAL", (0.3,)).valid_radius == np.inf


@every_lens
def test_the_ideal_picture_holds_all_that_the_photo_shows(lens: Lens) -> None:
    frame = ideal_frame(lens, K, SIZE)
    at = ideal_from_photo(frame, places())
    assert ((at >= -0.5) & (at <= np.array(frame.ideal_size) - 0.5)).all()
    assert max(np.array(frame.ideal_size) / SIZE) <= 1.25


@every_lens
def test_a_picture_is_carried_where_positions_are(lens: Lens) -> None:
    frame = ideal_frame(lens, K, SIZE)
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    photo = (100 + 50 * np.sin(x / 12) + 50 * np.cos(y / 9)).astype(np.float32)
    ideal = remap_to_ideal(frame, photo, fill=-1)
    u, v = np.meshgrid(np.arange(frame.ideal_size[0]), np.arange(frame.ideal_size[1]))
    at = photo_from_ideal(frame, np.stack([u, v], -1))
    expected = 100 + 50 * np.sin(at[..., 0] / 12) + 50 * np.cos(at[..., 1] / 9)
    inside = ((at > 2) & (at < np.array(SIZE) - 3)).all(-1)
    # OpenCV interpolates at 32nds of a pixel.
    assert np.abs(ideal - expected)[inside].max() < 0.3
    assert (ideal[~shown_by_photo(frame, SIZE)] == -1).all()


def test_absent_pixels_are_no_object() -> None:
    frame = ideal_frame(Lens("SIMPLE_RADIAL", (-0.3,)), K, SIZE)
    shown = shown_by_photo(frame, SIZE)
    assert not shown[0, 0]
    assert shown[frame.ideal_size[1] // 2, frame.ideal_size[0] // 2]
    everything = remap_to_ideal(frame, np.ones(SIZE[::-1], bool))
    np.testing.assert_array_equal(everything, shown)


def test_a_mask_comes_back_to_the_photo() -> None:
    frame = ideal_frame(Lens("RADIAL", (-0.2, 0.15)), K, SIZE)
    mask = np.zeros(SIZE[::-1], bool)
    mask[60:180, 80:250] = True
    back = remap_to_photo(frame, SIZE, remap_to_ideal(frame, mask))
    assert (back ^ mask).sum() < 0.01 * mask.sum()


@pytest.mark.parametrize(
    ("model", "coefficients", "said"),
    [
        ("FISHEYE", (0.1,), "not known"),
        ("RADIAL", (0.1,), "needs 2 finite numbers"),
        ("SIMPLE_RADIAL", (float("nan"),), "finite"),
    ],
)
def test_what_is_no_lens_is_refused(model: str, coefficients: tuple[float, ...], said: str) -> None:
    with pytest.raises(FormatError, match=said):
        Lens(model, coefficients)
