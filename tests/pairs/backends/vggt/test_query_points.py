"""Which points are followed."""

from __future__ import annotations

import numpy as np
import pytest

from pairs.backends.vggt.query_points import query_points

H, W = 90, 120


def scene(textured: bool = True) -> tuple[np.ndarray, np.ndarray]:
    image = np.full((H, W, 3), 127, np.uint8)
    if textured:
        image = (
            np.random.default_rng(0)
            .integers(0, 256, (H // 5, W // 5, 3))
            .repeat(5, 0)
            .repeat(5, 1)
            .astype(np.uint8)
        )
    inside = np.zeros((H, W), bool)
    inside[20:70, 30:100] = True
    return image, inside


@pytest.mark.parametrize("textured", [True, False])
@pytest.mark.parametrize("count", [1, 40, 300])
def test_points_lie_on_the_object_and_off_its_rim(textured: bool, count: int) -> None:
    image, inside = scene(textured)
    points = query_points(image, inside, count)
    assert 0 < len(points) <= count
    column, row = np.rint(points).astype(int).T
    assert inside[row, column].all()
    assert column.min() >= 31
    assert row.max() <= 68


def test_plain_surface_gets_points_as_well() -> None:
    points = query_points(*scene(textured=False), 40)
    assert len(points) > 20
    assert np.ptp(points, axis=0).min() > 35


def test_no_place_is_asked_for_twice() -> None:
    points = query_points(*scene(), 300)
    assert len(np.unique(points, axis=0)) == len(points)


def test_an_empty_mask_has_no_points_and_a_thin_one_keeps_its_rim() -> None:
    image, inside = scene()
    assert query_points(image, np.zeros_like(inside), 40).shape == (0, 2)
    thin = np.zeros_like(inside)
    thin[40:43] = True
    assert len(query_points(image, thin, 40)) > 0
