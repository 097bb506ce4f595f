"""Matches from pointmaps."""

import numpy as np

from pairs.matching.from_pointmaps import reciprocal_matches
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
