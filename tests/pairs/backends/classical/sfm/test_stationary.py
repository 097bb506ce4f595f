"""Features that stand still with the camera."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from pairs.backends.classical.sfm.stationary import nothing_moves, reject_stationary


def turntable(
    rng: np.random.Generator, num_views: int = 3
) -> tuple[list[np.ndarray], dict[tuple[int, int], np.ndarray]]:
    """Key points 0 to 9 belong to a fixed backdrop, 10 to 19 to an object that moves 20 px a view; number 20
    passes a place of the backdrop.
    """
    backdrop, thing = rng.uniform(0, 300, (10, 2)), rng.uniform(0, 300, (11, 2))
    xy = [
        np.concatenate([backdrop + rng.normal(0, 0.2, (10, 2)), thing + np.array([20, 0]) * view])
        for view in range(num_views)
    ]
    xy[1][20] = xy[0][20] + 0.5
    every = np.stack([np.arange(21)] * 2, axis=1).astype(np.int32)
    return xy, dict.fromkeys(combinations(range(num_views), 2), every)


def test_key_points_of_the_backdrop_lose_all_their_matches() -> None:
    xy, matches = turntable(np.random.default_rng(1))
    kept, report = reject_stationary(xy, matches, 1.5, range(3))
    assert all(m[:, 0].min() >= 10 for m in kept.values())
    assert report.key_points == 30 / 63
    assert report.matches == 31 / 63


def test_a_point_that_stands_still_once_loses_that_match_alone() -> None:
    xy, matches = turntable(np.random.default_rng(1))
    kept, _ = reject_stationary(xy, matches, 1.5, range(3))
    assert 20 not in kept[0, 1]
    assert 20 in kept[0, 2]
    assert 20 in kept[1, 2]


def test_a_backdrop_match_that_went_astray_falls_with_its_key_point() -> None:
    xy, matches = turntable(np.random.default_rng(1), num_views=4)
    astray = np.array([[0, 15]], np.int32)
    kept, _ = reject_stationary(
        xy,
        {**matches, (2, 3): np.concatenate([matches[2, 3][1:15], matches[2, 3][16:], astray])},
        1.5,
        range(4),
    )
    assert 0 not in kept[2, 3][:, 0]


def test_photos_without_matches_have_no_static_share() -> None:
    kept, report = reject_stationary(
        [np.zeros((0, 2))] * 2, {(0, 1): np.zeros((0, 2), np.int32)}, 1.5, (0, 1)
    )
    assert len(kept[0, 1]) == 0
    assert (report.matches, report.key_points) == (0, 0)


def test_copies_of_a_photo_do_not_move_and_a_small_object_does() -> None:
    xy, matches = turntable(np.random.default_rng(1))
    assert nothing_moves([xy[0]] * 3, matches, 1.5, fewest=5)
    assert not nothing_moves(xy, matches, 1.5, fewest=5)
    assert not nothing_moves(xy, {pair: m[:0] for pair, m in matches.items()}, 1.5, fewest=5)


def test_frames_of_one_view_are_no_backdrop_of_one_another() -> None:
    points = np.random.default_rng(1).uniform(0, 300, (20, 2))
    xy = [points, points, points, points + 20]
    every = np.stack([np.arange(20)] * 2, axis=1).astype(np.int32)
    matches = dict.fromkeys(combinations(range(4), 2), every)
    kept, report = reject_stationary(xy, matches, 1.5, (0, 0, 0, 3))
    assert (report.matches, report.key_points) == (0, 0)
    assert [len(kept[k, 3]) for k in range(3)] == [20] * 3
    assert len(kept[0, 1]) == 0
    assert reject_stationary(xy, matches, 1.5, range(4))[1].key_points > 0.5


def test_a_backdrop_is_seen_through_frames_of_one_view() -> None:
    xy, matches = turntable(np.random.default_rng(1))
    xy = [xy[0], xy[0], xy[1], xy[1]]
    every = matches[0, 1][:20]
    kept, report = reject_stationary(xy, dict.fromkeys(combinations(range(4), 2), every), 1.5, (0, 0, 2, 2))
    # Two views alone: one witness is none.
    assert report.key_points == 0
    assert kept[0, 2][:, 0].min() >= 10
