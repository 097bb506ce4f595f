"""The foreground of one photo."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from masks.mask import shrunk


@settings(max_examples=40, deadline=None)
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


def test_an_ellipse_takes_less_off_the_corners_than_a_square() -> None:
    pixels = np.ones((21, 21), bool)
    pixels[10, 10] = False
    assert shrunk(pixels, 5, cv2.MORPH_ELLIPSE).sum() > shrunk(pixels, 5).sum()
