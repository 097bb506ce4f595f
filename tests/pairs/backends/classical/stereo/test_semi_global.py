"""Semi-global aggregation against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from pairs.backends.classical.stereo.semi_global import (
    LARGE_STEP,
    SMALL_STEP,
    aggregate,
    best_plane,
    parabola_offset,
)


def plain_aggregate(volume: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Follow the definition pixel by pixel."""
    h, num_planes, w = volume.shape
    total = np.zeros(volume.shape)
    for dy, dx in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        path = np.zeros(volume.shape)
        for r in range(h)[:: dy or 1]:
            for c in range(w)[:: dx or 1]:
                br, bc = r - dy, c - dx
                comes_from_object = 0 <= br < h and 0 <= bc < w and mask[br, bc]
                for p in range(num_planes):
                    path[r, p, c] = volume[r, p, c]
                    if comes_from_object:
                        before = path[br, :, bc]
                        near = [before[k] + SMALL_STEP for k in (p - 1, p + 1) if 0 <= k < num_planes]
                        path[r, p, c] += min(before[p], before.min() + LARGE_STEP, *near) - before.min()
        total += path
    return total


@pytest.mark.parametrize("seed", range(3))
def test_rows_at_once_equal_pixel_by_pixel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    volume = rng.uniform(0, 1, (6, 5, 7)).astype(np.float32)
    mask = rng.random((6, 7)) < 0.7
    np.testing.assert_allclose(
        aggregate(volume, mask)[mask[:, None].repeat(5, 1)],
        plain_aggregate(volume, mask)[mask[:, None].repeat(5, 1)],
        rtol=1e-5,
    )


def test_a_path_out_of_the_background_remembers_nothing() -> None:
    rng = np.random.default_rng(0)
    mask = np.array([[True, True, False, True, True]])
    one = rng.uniform(0, 1, (1, 4, 5)).astype(np.float32)
    other = one.copy()
    other[..., :3] = rng.uniform(0, 1, (1, 4, 3))
    np.testing.assert_array_equal(aggregate(one, mask)[..., 3:], aggregate(other, mask)[..., 3:])


def test_the_best_plane_lies_between_planes() -> None:
    planes = np.arange(9)
    where = np.array([2.3, 4.0, 6.75, -1.0, 10.0])
    costs = (planes[:, None] - where) ** 2
    np.testing.assert_allclose(
        best_plane(costs[None].astype(np.float32))[0], [2.3, 4.0, 6.75, 0, 8], atol=1e-5
    )


def test_a_flat_or_falling_triple_stays_within_half_a_step() -> None:
    before, at, after = np.array([1.0, 1, 0]), np.array([1.0, 0, 0]), np.array([1.0, 0, 0])
    np.testing.assert_allclose(parabola_offset(before, at, after), [0, 0.5, 0])


def test_strips_of_rows_are_one_picture() -> None:
    rng = np.random.default_rng(3)
    volume, mask = rng.uniform(0, 1, (260, 3, 4)).astype(np.float32), rng.uniform(0, 1, (260, 4)) < 0.8
    object_costs = mask[:, None].repeat(3, 1)
    np.testing.assert_allclose(
        aggregate(volume, mask)[object_costs], plain_aggregate(volume, mask)[object_costs], rtol=1e-5
    )
