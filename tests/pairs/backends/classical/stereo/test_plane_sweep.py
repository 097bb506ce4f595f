"""Correlation costs against their definition."""

from __future__ import annotations

import numpy as np

from pairs.backends.classical.stereo.plane_sweep import matching_cost, mean_of_best_half, patch_statistics


def test_boxes_equal_window_by_window() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.uniform(0, 255, (11, 12)).astype(np.float32) for _ in range(2))
    other = (0.7 * one + 0.3 * other).astype(np.float32)
    cost = matching_cost(patch_statistics(one), other, np.zeros((11, 12), np.uint8))
    for r, c in ((3, 3), (5, 6), (7, 8)):
        a, b = (g[r - 3 : r + 4, c - 3 : c + 4].astype(float) for g in (one, other))
        covariance = (a * b).mean() - a.mean() * b.mean()
        expected = 1 - covariance / np.sqrt((a.var() + 4) * (b.var() + 4))
        np.testing.assert_allclose(cost[r, c], min(expected, 1), atol=1e-4)


def test_brightness_and_contrast_do_not_matter_and_outside_costs_one() -> None:
    grey = np.random.default_rng(1).uniform(50, 150, (20, 20)).astype(np.float32)
    outside = np.zeros((20, 20), np.uint8)
    outside[:, 15:] = 1
    cost = matching_cost(patch_statistics(grey), 1.3 * grey + 20, outside)
    assert cost[:, :15].max() < 0.01
    assert (cost[:, 15:] == 1).all()


def test_a_plain_picture_matches_nothing() -> None:
    plain = np.full((9, 9), 100, np.float32)
    cost = matching_cost(patch_statistics(plain), plain, np.zeros((9, 9), np.uint8))
    np.testing.assert_allclose(cost, 1, atol=1e-2)


def test_the_best_half_equals_sorting() -> None:
    rng = np.random.default_rng(2)
    for count, half in ((1, 1), (2, 1), (3, 2), (4, 2)):
        costs = rng.uniform(0, 1, (count, 5, 6)).astype(np.float32)
        np.testing.assert_allclose(
            mean_of_best_half([c.copy() for c in costs]), np.sort(costs, 0)[:half].mean(0), rtol=1e-6
        )
