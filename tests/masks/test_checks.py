"""What is suspicious about masks."""

import cv2
import numpy as np
import pytest

from masks.checks import check_masks, erode
from masks.errors import MaskError
from masks.mask import Mask
from masks.notice import Level


def box(top: int, bottom: int, left: int, right: int) -> Mask:
    pixels = np.zeros((50, 80), bool)
    pixels[top:bottom, left:right] = True
    return Mask(pixels, "test")


def test_an_empty_mask_leaves_its_view_out_by_name() -> None:
    usable, notices = check_masks(["a", "b"], [box(10, 30, 10, 30), box(0, 0, 0, 0)])
    assert usable == (True, False)
    assert [(n.level, n.subject) for n in notices if n.level is Level.LEFT_OUT] == [(Level.LEFT_OUT, "b")]


def test_all_masks_empty_is_an_error() -> None:
    with pytest.raises(MaskError, match="every mask is empty"):
        check_masks(["a", "b"], [box(0, 0, 0, 0)] * 2)


def test_a_mask_that_covers_everything_is_warned_of() -> None:
    _, notices = check_masks(["a"], [box(0, 50, 0, 80)])
    assert notices[0].level is Level.WARNING


def test_an_object_at_the_border_is_mentioned() -> None:
    _, notices = check_masks(["a"], [box(0, 30, 10, 50)])
    assert "border" in notices[0].text


def test_coverage_is_always_reported() -> None:
    _, notices = check_masks(["a"], [box(10, 30, 10, 30)])
    assert notices[-1].text == "1 masks cover 10.0 to 10.0 % of their photos."


def test_erosion_takes_the_rim_but_not_the_border_of_the_picture() -> None:
    eroded = erode(box(0, 30, 10, 30), 3).pixels
    np.testing.assert_array_equal(np.flatnonzero(eroded.any(1)), np.arange(27))
    np.testing.assert_array_equal(np.flatnonzero(eroded[:20].all(0)), np.arange(13, 27))


def test_erosion_by_nothing_changes_nothing() -> None:
    mask = box(0, 30, 10, 30)
    assert erode(mask, 0) is mask


def test_an_outline_that_was_drawn_is_named() -> None:
    drawn, ring = np.zeros((2, 200, 300), np.uint8)
    cv2.circle(drawn, (150, 100), 60, 1, 2)
    # A thing with a large hole is none.
    cv2.circle(ring, (150, 100), 60, 1, 25)
    _, notices = check_masks(["a", "b"], [Mask(each.astype(bool), "test") for each in (drawn, ring)])
    (said,) = (notice for notice in notices if "Are they outlines?" in notice.text)
    assert said.level is Level.WARNING
    assert said.text.startswith("a: ")
