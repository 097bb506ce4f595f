"""Matches of two views without a scene."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from masks.pixelmap import to_source
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.pair_features import feature_matches
from pairs.views.load import load_views
from pairs.views.view import View, grid_mask

SHIFT = (24, 10)


def shifted(folder: Path, masked: bool) -> tuple[View, View]:
    """Write two photos of a textured square that moves over a textured, stationary background."""
    rng = np.random.default_rng(0)
    cloth, wall = (
        cv2.resize(rng.integers(0, 256, (60, 80, 3), np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
        for _ in range(2)
    )
    for k in range(2):
        photo, mask = wall.copy(), np.zeros((480, 640), np.uint8)
        x, y = 180 + k * SHIFT[0], 120 + k * SHIFT[1]
        photo[y : y + 240, x : x + 240] = cloth[100:340, 200:440]
        mask[y : y + 240, x : x + 240] = 255
        Image.fromarray(photo).save(folder / f"{k}.png")
        if masked:
            Image.fromarray(mask).save(folder / f"{k}_mask.png")
    views, _ = load_views(folder)
    return views[0], views[1]


def moved(views: tuple[View, View], found) -> np.ndarray:
    """Return how far every match (M, 2) moved in the photos."""
    at_a, at_b = (to_source(view.grid_from_photo, xy) for view, xy in zip(views, (found.xy_a, found.xy_b)))
    return at_b - at_a


def test_features_inside_the_masks_match_by_their_shift_in_photo_pixels(tmp_path: Path) -> None:
    views = shifted(tmp_path, masked=True)
    found, notices = feature_matches(*views, SolveOptions())
    assert len(found.conf) > 50
    np.testing.assert_allclose(np.median(moved(views, found), axis=0), SHIFT, atol=0.1)
    for view, xy in zip(views, (found.xy_a, found.xy_b)):
        column, row = np.rint(xy).astype(int).T
        assert grid_mask(view)[row, column].all()
    assert notices == ()


def test_without_masks_what_stands_still_is_left_out_and_said(tmp_path: Path) -> None:
    views = shifted(tmp_path, masked=False)
    found, notices = feature_matches(*views, SolveOptions())
    assert len(found.conf) > 50
    assert (np.linalg.norm(moved(views, found), axis=1) > 1).all()
    assert "stand still" in notices[0].text


def test_views_without_features_have_no_matches(tmp_path: Path) -> None:
    for k in range(2):
        Image.fromarray(np.full((200, 300, 3), 90 + k, np.uint8)).save(tmp_path / f"{k}.png")
    (a, b), _ = load_views(tmp_path)
    assert len(feature_matches(a, b, SolveOptions())[0].conf) == 0
