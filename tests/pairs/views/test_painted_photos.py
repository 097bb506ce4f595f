"""Photos whose background was painted over."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from given_masks import overlap, painted, photo, texture, true_mask, write
from PIL import Image

from pairs.views.load import load_views

CASE = Path(__file__).parents[4] / "shared" / "cases" / "painted_background_no_masks"
COLOURS = [(0, 0, 0), (255, 255, 255), (20, 60, 200)]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_the_paint_is_the_mask_and_is_said(tmp_path: Path, colour: tuple[int, int, int], ending: str) -> None:
    options = {"quality": 92} if ending == "jpg" else {}
    for k in range(4):
        write(tmp_path / f"{k}.{ending}", painted(k, colour), **options)
    views, notices = load_views(tmp_path)
    for k, view in enumerate(views):
        assert view.mask is not None
        # The object of the test is small, and its hole too small to be told from a highlight in a JPEG.
        assert overlap(view.mask.pixels, true_mask(k)) > 0.85
        assert not (view.mask.pixels[:6]).any()
    assert notices[0].level == "warning"
    assert "painted in one colour" in notices[0].text


def test_without_masks_is_without_masks_and_a_warning_says_what_is_better(tmp_path: Path) -> None:
    for k in range(4):
        write(tmp_path / f"{k}.png", painted(k, (0, 0, 0)))
    views, notices = load_views(tmp_path, "none")
    assert all(view.mask is None for view in views)
    assert notices[0].level == "warning"
    assert "masks=auto" in notices[0].text


def test_photos_with_a_background_have_no_paint(tmp_path: Path) -> None:
    for k in range(4):
        write(tmp_path / f"{k}.png", photo(k))
    views, _ = load_views(tmp_path)
    assert all(view.mask is None for view in views)


def test_one_photo_with_a_background_and_the_paint_is_none(tmp_path: Path) -> None:
    for k in range(4):
        write(tmp_path / f"{k}.png", photo(k) if k == 3 else painted(k, (0, 0, 0)))
    views, _ = load_views(tmp_path)
    assert all(view.mask is None for view in views)


@pytest.mark.parametrize(
    ("count", "colours", "words"),
    [
        (5, [(0, 0, 0)], "painted (0, 0, 0), but not of 4.png"),
        (4, [(0, 0, 0), (255, 255, 255)], "painted (0, 0, 0; 255, 255, 255), not in one colour"),
        (2, [(0, 0, 0)], "2 photos are too few to be sure"),
    ],
)
def test_photos_that_are_painted_in_part_are_said(
    tmp_path: Path, count: int, colours: list[tuple[int, int, int]], words: str
) -> None:
    for k in range(count):
        write(tmp_path / f"{k}.png", photo(k) if k == 4 else painted(k, colours[k % len(colours)]))
    views, notices = load_views(tmp_path)
    assert all(view.mask is None for view in views)
    (said,) = [notice.text for notice in notices if "painted" in notice.text]
    assert words in said


def test_one_painted_photo_of_many_needs_no_words(tmp_path: Path) -> None:
    for k in range(4):
        write(tmp_path / f"{k}.png", painted(k, (0, 0, 0)) if k == 1 else photo(k))
    assert not any("painted" in notice.text for notice in load_views(tmp_path)[1])


def test_a_soft_brush_leaves_what_it_painted_by_half(tmp_path: Path) -> None:
    disc = np.zeros((240, 320), bool)
    disc[60:180, 90:220] = True
    share = cv2.GaussianBlur(disc.astype(np.float32), (0, 0), 3.0)[..., None]
    for k in range(3):
        left = share * texture(k, (320, 240)) + (1 - share) * 255
        write(tmp_path / f"{k}.png", left.round().astype(np.uint8))
    views, _ = load_views(tmp_path)
    for view in views:
        assert view.mask is not None
        assert overlap(view.mask.pixels, disc) > 0.95


def test_the_case_of_a_user() -> None:
    if not CASE.is_dir():
        pytest.skip(f"{CASE}: not here")
    views, _ = load_views(CASE / "images")
    for view, path in zip(views, sorted((CASE / "true_masks").iterdir())):
        assert view.mask is not None
        assert overlap(view.mask.pixels, np.asarray(Image.open(path)) > 0) > 0.98
