"""Masks that do not lie on their photos, and photos that show nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from given_masks import photo, texture, true_mask, write
from PIL import Image

from pairs.views.load import load_views
from pairs.views.photos import load_photo


def masked(folder: Path, wrong: np.ndarray | None = None) -> list[str]:
    for k in range(6):
        write(folder / "images" / f"{k}.png", photo(k))
        mask = true_mask(k) if wrong is None or k != 2 else wrong
        write(folder / "masks" / f"{k}.png", mask * np.uint8(255))
    _, notices = load_views(folder / "images", folder / "masks")
    return [notice.text for notice in notices if "do not lie on edges" in notice.text]


def test_masks_that_lie_on_their_photos_need_no_words(tmp_path: Path) -> None:
    assert masked(tmp_path) == []


@pytest.mark.parametrize("shift", [(0, 12), (-12, 0), (8, 8)])
def test_a_shifted_mask_is_named(tmp_path: Path, shift: tuple[int, int]) -> None:
    (text,) = masked(tmp_path, np.roll(true_mask(2), shift, (0, 1)))
    assert text.startswith("2.png:")


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
