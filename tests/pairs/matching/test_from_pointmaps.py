"""Matches from pointmaps."""

import numpy as np

from pairs.matching.from_pointmaps import mutual_nearest, reciprocal_matches
from pairs.prediction.predictions import PairPrediction


def test_shifted_views_of_a_plane_match_by_the_shift() -> None:
    x, y = np.meshgrid(np.arange(40.0), np.arange(24.0))
    plane = np.stack([x, y, np.full_like(x, 50)], -1)
    shifted = plane + np.array([4.0, 0, 0])  # b's pixel (x, y) shows a's (x + 4, y)
    conf = np.full((24, 40), 4.0)
    run = PairPrediction(plane, shifted, conf, np.full((24, 40), 9.0))
    matches = reciprocal_matches(run, np.ones((24, 40), bool), np.ones((24, 40), bool))
    assert len(matches.conf) > 30
    np.testing.assert_array_equal(matches.xy_a - matches.xy_b, np.tile([4, 0], (len(matches.conf), 1)))
    np.testing.assert_allclose(matches.conf, 6)


def test_nothing_outside_the_masks_is_matched_whatever_it_holds() -> None:
    rng = np.random.default_rng(1)
    points, mask = rng.uniform(1, 2, (24, 40, 3)), np.zeros((24, 40), bool)
    mask[4:20, 8:30] = True
    conf = np.ones((24, 40))
    clean = reciprocal_matches(PairPrediction(points, points, conf, conf), mask, mask)
    points = points.copy()
    points[~mask] = np.nan
    dirty = reciprocal_matches(PairPrediction(points, points, conf, conf), mask, mask)
    assert len(clean.conf) > 0
    np.testing.assert_array_equal(clean.xy_a, dirty.xy_a)


def test_empty_masks_give_no_matches() -> None:
    points, conf, nothing = np.ones((8, 8, 3)), np.ones((8, 8)), np.zeros((8, 8), bool)
    assert len(reciprocal_matches(PairPrediction(points, points, conf, conf), nothing, nothing).conf) == 0


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
