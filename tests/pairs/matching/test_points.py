"""Mutual nearest points."""

from __future__ import annotations

import numpy as np

from pairs.matching.from_pointmaps import mutual_nearest


def test_mutual_pairs_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    points, among = rng.normal(size=(80, 3)), rng.normal(size=(60, 3))
    distance = np.linalg.norm(points[:, None] - among[None], axis=2)
    nearest, mutual = mutual_nearest(points, among)
    np.testing.assert_array_equal(nearest, distance.argmin(1))
    np.testing.assert_array_equal(mutual, distance.argmin(0)[nearest] == np.arange(80))


def test_points_that_are_not_asked_for_still_compete():
    rng = np.random.default_rng(1)
    points, among = rng.normal(size=(80, 3)), rng.normal(size=(60, 3))
    asked = np.arange(0, 80, 7)
    nearest, mutual = mutual_nearest(points, among)
    for some, all_ in zip(mutual_nearest(points, among, asked), (nearest, mutual)):
        np.testing.assert_array_equal(some, all_[asked])
