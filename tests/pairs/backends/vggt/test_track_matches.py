"""From followed points to matches of pairs."""

from __future__ import annotations

import numpy as np
import pytest

from pairs.backends.vggt.track_matches import (
    TrackOptions,
    Tracks,
    counted,
    matches_of_pairs,
    nearest_camera,
    reached,
    spread_views,
    strongest_pairs,
)
from pairs.prediction.predictions import GroupPrediction
from pairs.views.cameras import Cameras

H, W = 20, 30
MASKS = [np.ones((H, W), bool) for _ in range(4)]
OPTIONS = TrackOptions(least_matches=1)


def cameras(num_views: int = 4) -> Cameras:
    """Return cameras on a ring around the origin, evenly."""
    pose = np.tile(np.eye(4), (num_views, 1, 1))
    for k, angle in enumerate(2 * np.pi * np.arange(num_views) / num_views):
        c, s = np.cos(angle), np.sin(angle)
        pose[k, :3] = [[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 4]]
    return Cameras(np.tile(np.eye(3), (num_views, 1, 1)), pose)


def group(conf: float = 4.0) -> GroupPrediction:
    depths, confs = (tuple(np.full((H, W), value, np.float32) for _ in range(4)) for value in (1.0, conf))
    return GroupPrediction(cameras(), depths, confs)


def tracks(query: int = 0, num_points: int = 10) -> Tracks:
    """Return points that are seen everywhere, three pixels further right in every view."""
    rng = np.random.default_rng(query)
    start = rng.uniform((2, 2), (15, 15), (num_points, 2))
    xy = start + 3.0 * np.arange(4)[:, None, None] * (1, 0)
    return Tracks((0, 1, 2, 3), query, xy, np.full((4, num_points), 0.81), np.ones((4, num_points)))


def test_every_pair_that_sees_a_point_gets_a_match() -> None:
    found = matches_of_pairs([tracks()], group(), MASKS, OPTIONS)
    assert sorted(found) == [(a, b) for a in range(4) for b in range(a + 1, 4)]
    np.testing.assert_allclose(found[1, 3].xy_b - found[1, 3].xy_a, np.tile([6.0, 0], (10, 1)))


def test_confidence_is_that_of_the_depths_and_of_the_tracker() -> None:
    found = matches_of_pairs([tracks()], group(4.0), MASKS, OPTIONS)
    np.testing.assert_allclose(found[0, 1].conf, 4 * np.sqrt(0.81))  # the query's own place is sure
    np.testing.assert_allclose(found[1, 2].conf, 4 * 0.81)


def test_windows_name_the_views_of_the_scene() -> None:
    part = Tracks((3, 1), 0, tracks().xy[:2], np.ones((2, 10)), np.ones((2, 10)))
    found = matches_of_pairs([part], group(), MASKS, OPTIONS)
    np.testing.assert_array_equal(found[1, 3].xy_b, part.xy[0])
    np.testing.assert_array_equal(found[1, 3].xy_a, part.xy[1])


@pytest.mark.parametrize(
    "place", [(-1.0, 5.0), (W + 4.0, 5.0), (5.0, H - 0.4), (np.nan, 3.0), (np.inf, 3.0), (1.0, 1.0)]
)
def test_a_place_outside_the_image_or_the_mask_is_no_match(place: tuple[float, float]) -> None:
    masks = [mask.copy() for mask in MASKS]
    masks[2][:2, :2] = False
    xy = tracks().xy.copy()
    xy[2, 4] = place
    there = Tracks((0, 1, 2, 3), 0, xy, np.ones((4, 10)), np.ones((4, 10)))
    found = matches_of_pairs([there], group(), masks, OPTIONS)
    assert len(found[0, 2].conf) == 9
    assert len(found[0, 1].conf) == 10
    assert np.isfinite(found[0, 2].xy_b).all()


def test_points_that_are_hidden_or_doubted_do_not_count() -> None:
    visible, conf = np.ones((4, 10)), np.ones((4, 10))
    visible[1, :3], conf[1, 2:5] = 0.01, 0.1
    some = Tracks((0, 1, 2, 3), 0, tracks().xy, visible, conf)
    assert counted(some, MASKS, OPTIONS).sum(1).tolist() == [10, 5, 10, 10]
    assert reached([some, some], MASKS, OPTIONS).tolist() == [0, 10, 20, 20]


def test_pairs_with_few_points_are_none() -> None:
    assert matches_of_pairs([tracks(num_points=7)], group(), MASKS, TrackOptions(least_matches=8)) == {}
    assert (
        len(matches_of_pairs([tracks(0, 7), tracks(1, 7)], group(), MASKS, TrackOptions(least_matches=8)))
        == 6
    )


def test_every_view_keeps_its_strongest_partners() -> None:
    matches = matches_of_pairs([tracks()], group(), MASKS, OPTIONS)
    weak = {pair: m for pair, m in matches.items() if pair != (0, 3)}
    assert strongest_pairs(weak, 4, 1) == ((0, 1), (1, 2), (2, 3))
    assert strongest_pairs(matches, 4, 3) == tuple(sorted(matches))


def test_query_views_are_spread_over_the_ring() -> None:
    assert spread_views(cameras(8), range(8), 4) == [0, 4, 2, 6]
    assert sorted(spread_views(cameras(5), range(5), 9)) == [0, 1, 2, 3, 4]
    same = Cameras(np.tile(np.eye(3), (3, 1, 1)), np.tile(np.eye(4), (3, 1, 1)))
    assert sorted(spread_views(same, range(3), 3)) == [0, 1, 2]


def test_a_window_is_spread_among_its_own_views() -> None:
    assert spread_views(cameras(8), (4, 5, 6), 2) == [4, 6]


def test_the_nearest_camera_is_a_neighbour() -> None:
    assert nearest_camera(cameras(8), 3) in (2, 4)
