"""Masks that do not lie on their photos, and photos that show nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from given_masks import photo, texture, true_mask, write
from PIL import Image

from pairs.views.load import load_views
from pairs.views.photos import load_photo

COUNT, SHIFT = 6, 8
"""Photos, and the pixels by which the object moves from one to the next."""


def misplaced(folder: Path, mask_of: Callable[[int], np.ndarray]) -> dict[str, str]:
    """Return what is said of the places of masks, by photo."""
    for k in range(COUNT):
        write(folder / "images" / f"{k}.png", photo(k, shift=SHIFT))
        write(folder / "masks" / f"{k}.png", mask_of(k) * np.uint8(255))
    _, notices = load_views(folder / "images", folder / "masks")
    words = ("lies better", "does not lie on edges")
    return {n.subject: n.text for n in notices if any(word in n.text for word in words)}


def right(k: int) -> np.ndarray:
    return true_mask(k, shift=SHIFT)


def test_masks_that_lie_on_their_photos_need_no_words(tmp_path: Path) -> None:
    assert misplaced(tmp_path, right) == {}


@pytest.mark.parametrize("shift", [(0, 12), (-12, 0), (8, 8)])
def test_a_shifted_mask_is_named(tmp_path: Path, shift: tuple[int, int]) -> None:
    said = misplaced(tmp_path, lambda k: np.roll(right(k), shift if k == 2 else 0, (0, 1)))
    assert list(said) == ["2.png"]


def test_the_mask_of_the_next_photo_is_named_with_that_photo(tmp_path: Path) -> None:
    said = misplaced(tmp_path, lambda k: right(3 if k == 2 else k))
    assert list(said) == ["2.png"]
    assert said["2.png"].startswith("its mask lies better on 3.png")


@pytest.mark.parametrize(
    ("place", "named"),
    [
        (lambda k: right(k ^ 1), [f"on {k ^ 1}.png" for k in range(COUNT)]),
        (
            lambda k: right((k + 1) % COUNT),
            [f"on {(k + 1) % COUNT}.png" for k in range(COUNT)],
        ),
        (lambda k: np.rot90(right(k), 2), ["turned by 180"] * COUNT),
        (lambda k: np.rot90(right(k), 2) if k % 2 else right(k), ["", "turned by 180"] * (COUNT // 2)),
    ],
    ids=["exchanged", "names slipped", "turned", "half of them turned"],
)
def test_most_masks_may_be_wrong(
    tmp_path: Path, place: Callable[[int], np.ndarray], named: list[str]
) -> None:
    said = misplaced(tmp_path, place)
    for k, words in enumerate(named):
        assert words in said[f"{k}.png"] if words else f"{k}.png" not in said


def test_masks_of_another_set_are_named(tmp_path: Path) -> None:
    def another(k: int) -> np.ndarray:
        mask = np.zeros((120, 160), np.uint8)
        return cv2.ellipse(mask, (60 + 5 * k, 45), (15, 40), 30, 0, 360, 1, -1).astype(bool)

    assert list(misplaced(tmp_path, another)) == [f"{k}.png" for k in range(COUNT)]


@pytest.mark.parametrize("pixels", [-2, 3])
def test_masks_that_all_reach_over_the_edges_need_no_words(tmp_path: Path, pixels: int) -> None:
    element = np.ones((2 * abs(pixels) + 1,) * 2, np.uint8)
    change = cv2.dilate if pixels > 0 else cv2.erode
    assert misplaced(tmp_path, lambda k: change(right(k).astype(np.uint8), element).astype(bool)) == {}


@pytest.mark.parametrize(("values", "word"), [((0, 20), "black"), ((235, 256), "white")])
def test_photos_that_show_nothing_are_named(tmp_path: Path, values: tuple[int, int], word: str) -> None:
    for k in range(3):
        noise = np.random.default_rng(k).integers(*values, (60, 80, 3), np.uint8)
        write(tmp_path / f"{k}.png", noise if k == 1 else texture(k, (80, 60)))
    _, notices = load_views(tmp_path)
    assert any(f"1.png: nearly {word}" in notice.text for notice in notices)
    assert not any("0.png: nearly" in notice.text for notice in notices)


def test_twelve_bits_in_sixteen_are_scaled_by_the_range_of_the_set(tmp_path: Path) -> None:
    brightest = (4000, 900, 2000)
    for k, top in enumerate(brightest):
        grey = (texture(k, (80, 60))[..., 0] / 255.0 * top).astype(np.uint16)
        grey[0, 0] = top
        Image.fromarray(grey).save(tmp_path / f"{k}.png")
    views, notices = load_views(tmp_path)
    for view, top in zip(views, brightest):
        assert view.white == 4095
        assert int(load_photo(view).max()) == round(top / 4095 * 255)
    assert not any("nearly" in notice.text for notice in notices)


def test_hot_pixels_are_not_the_white_of_a_set(tmp_path: Path) -> None:
    for k in range(3):
        grey = (texture(k, (160, 120))[..., 0] / 255.0 * 4095).astype(np.uint16)
        grey[5, 7] = 65535
        Image.fromarray(grey).save(tmp_path / f"{k}.tif")
    views, notices = load_views(tmp_path)
    assert all(view.white == 4095 for view in views)
    assert not any("nearly" in notice.text for notice in notices)
