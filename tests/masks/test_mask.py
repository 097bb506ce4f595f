"""The foreground of one photo."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masks.mask import box_around, holds, shrunk


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), radius_px=st.integers(0, 3))
def test_a_shrunk_mask_keeps_the_pixels_whose_whole_square_is_object_or_outside_the_picture(
    seed: int, radius_px: int
) -> None:
    pixels = np.random.default_rng(seed).random((9, 12)) < 0.8
    padded = np.pad(pixels, radius_px, constant_values=True)
    side = 2 * radius_px + 1
    assert np.array_equal(
        shrunk(pixels, radius_px), np.lib.stride_tricks.sliding_window_view(padded, (side, side)).all((2, 3))
    )


@pytest.mark.parametrize(
    ("margin_px", "box"), [(0, (3, 2, 5, 1)), (1, (2, 1, 7, 3)), (3, (0, 0, 11, 6)), (50, (0, 0, 12, 9))]
)
def test_a_box_holds_the_mask_and_its_margin_inside_the_picture(
    margin_px: int, box: tuple[int, int, int, int]
) -> None:
    pixels = np.zeros((9, 12), bool)
    pixels[2, [3, 5, 7]] = True
    assert box_around(pixels, margin_px) == box


def test_an_ellipse_takes_less_off_the_corners_than_a_square() -> None:
    pixels = np.ones((21, 21), bool)
    pixels[10, 10] = False
    assert shrunk(pixels, 5, cv2.MORPH_ELLIPSE).sum() > shrunk(pixels, 5).sum()


def test_a_position_is_on_the_mask_when_its_nearest_pixel_is_and_nothing_outside_the_picture_is() -> None:
    pixels = np.ones((4, 6), bool)
    pixels[1, 2] = False
    inside = np.array([[0, 0], [5.4, 3.4], [-0.5, -0.5], [5.5, 3.5], [2.6, 1], [2, 1.6]])
    off = [[-0.6, 0], [0, -0.6], [5.6, 3], [5, 3.6], [2.4, 1.4], [np.nan, 1], [1, np.inf], [1e30, 0]]
    assert holds(pixels, inside).all()
    assert not holds(pixels, np.array(off)).any()
    assert holds(pixels, np.zeros((0, 2))).shape == (0,)
