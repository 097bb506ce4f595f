"""The contact sheet shows what there is and survives what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from align.points import PointCloud
from align.show.sheets import SheetView, contact_sheet, depth_picture, evenly_chosen, masked_photo


def view(k: int, size: tuple[int, int] = (64, 48), mask: bool = True, depth: bool = True) -> SheetView:
    w, h = size
    rng = np.random.default_rng(k)
    inside = np.zeros((h, w), bool)
    inside[h // 4 : -h // 4, w // 4 : -w // 4] = True
    return SheetView(
        f"{k:03d}.png",
        rng.integers(0, 256, (h, w, 3)).astype(np.uint8),
        inside if mask else None,
        rng.uniform(1, 2, (h, w)) if depth else None,
    )


def cloud() -> PointCloud:
    return PointCloud(np.random.default_rng(0).normal(size=(500, 3)), np.full((500, 3), 80, np.uint8))


def test_at_most_eight_views_are_shown_in_even_steps() -> None:
    views = [view(k) for k in range(24)]
    assert [v.name for v in evenly_chosen(views, 8)] == [f"{k:03d}.png" for k in range(0, 24, 3)]
    assert len(evenly_chosen(views[:5], 8)) == 5
    assert contact_sheet(views, None).shape == contact_sheet(views[:8], None).shape


def test_a_row_that_nobody_has_is_left_out() -> None:
    full = contact_sheet([view(0), view(1)], cloud()).shape[0]
    without_masks = contact_sheet([view(0, mask=False), view(1, mask=False)], cloud()).shape[0]
    without_depth = contact_sheet([view(0, depth=False), view(1, depth=False)], cloud()).shape[0]
    without_cloud = contact_sheet([view(0), view(1)], None).shape[0]
    assert max(without_masks, without_depth, without_cloud) < full


@pytest.mark.parametrize("size", [(3, 2), (64, 48), (48, 64), (2000, 100), (50, 900)])
def test_photos_of_any_shape_fit(size: tuple[int, int]) -> None:
    sheet = contact_sheet(
        [view(0, size), view(1), view(2, mask=False), view(3, depth=False)], cloud(), title="any"
    )
    assert sheet.dtype == np.uint8
    assert (sheet[:8] == 255).all()
    assert (sheet[:, :8] == 255).all()
    assert (sheet[:, -8:] == 255).all()


def test_a_depth_map_of_another_size_than_the_photo_is_shown_inside_the_mask() -> None:
    small = SheetView("a", np.zeros((48, 64, 3), np.uint8), np.ones((48, 64), bool), np.full((24, 32), 2.0))
    outside = SheetView(
        "a", np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64), bool), np.full((24, 32), 2.0)
    )
    assert contact_sheet([small], None).shape[0] > contact_sheet([outside], None).shape[0]


def test_nothing_known_is_not_an_error() -> None:
    unknown = np.full((4, 4), np.nan)
    sheet = contact_sheet([SheetView("a", np.zeros((4, 4, 3), np.uint8), None, unknown)], None)
    assert sheet.ndim == 3
    assert contact_sheet([], None).ndim == 3


def test_near_is_brighter_than_far_and_unknown_is_grey() -> None:
    picture = depth_picture(np.array([[1.0, 2.0, np.inf]]), 1.0, 2.0).astype(int)
    assert picture[0, 0].sum() > picture[0, 1].sum()
    assert np.ptp(picture[0, 2]) < 5


def test_the_masked_photo_keeps_the_object_and_greys_the_rest() -> None:
    shown = view(0)
    picture = masked_photo(shown.photo, shown.mask if shown.mask is not None else np.zeros(0))
    np.testing.assert_array_equal(picture[24, 32], shown.photo[24, 32])
    assert np.ptp(picture[0, 0].astype(int)) == 0
