"""Neighbours in file order that a folded scene tears apart."""

from __future__ import annotations

import numpy as np
import pytest

from pairs.backends.classical.sfm.acceptance import (
    Assessment,
    Verdict,
    agreement,
    broken_neighbours,
    with_broken_neighbours,
)
from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.views.cameras import Cameras

NUM_FEATURES = 40


def ring(point_of: np.ndarray) -> MapperModel:
    """A scene from the point (V, N) that each key point sees, -1 for none."""
    by, feature = np.nonzero(point_of >= 0)
    num_views = len(point_of)
    cameras = Cameras(np.tile(np.eye(3), (num_views, 1, 1)), np.tile(np.eye(4), (num_views, 1, 1)))
    columns = (point_of[by, feature], by, feature)
    return MapperModel(
        tuple(range(num_views)),
        cameras,
        np.zeros((int(point_of.max()) + 1, 3)),
        *(column.astype(np.int32) for column in columns),
    )


def neighbours(num_views: int) -> dict[tuple[int, int], VerifiedPair]:
    every = np.stack([np.arange(NUM_FEATURES)] * 2, axis=1).astype(np.int32)
    return {
        tuple(sorted((k, (k + 1) % num_views))): VerifiedPair(np.eye(3), every, 1.0) for k in range(num_views)
    }


def test_neighbours_of_a_right_scene_see_the_same_points() -> None:
    model = ring(np.tile(np.arange(NUM_FEATURES), (6, 1)))
    assert set(agreement(model, neighbours(6)).values()) == {1.0}
    assert broken_neighbours(model, neighbours(6), 6) == ()


def test_a_fold_tears_the_ring_where_it_turns_back() -> None:
    first_half = np.arange(6)[:, None] < 3
    model = ring(np.where(first_half, np.arange(NUM_FEATURES), np.arange(NUM_FEATURES) + NUM_FEATURES))
    assert broken_neighbours(model, neighbours(6), 6) == ((2, 3), (0, 5))


def test_a_tear_between_last_and_first_alone_is_the_end_of_an_arc() -> None:
    point_of = np.arange(6)[:, None] * 10 + np.arange(
        NUM_FEATURES
    )  # neighbours share most points, the ends none
    pairs = {
        pair: VerifiedPair(
            np.eye(3),
            np.stack([np.arange(30) + 10 * (pair[1] - pair[0] == 1), np.arange(30)], 1).astype(np.int32),
            1.0,
        )
        for pair in neighbours(6)
    }
    assert broken_neighbours(ring(point_of), pairs, 6) == ()


def test_only_key_points_with_a_scene_point_bear_witness() -> None:
    point_of = np.tile(np.arange(NUM_FEATURES), (4, 1))
    point_of[1, 10:] = -1
    shares = agreement(ring(point_of), neighbours(4))
    assert set(shares) == {(2, 3), (0, 3)}
    point_of[1, :20] = np.arange(20)
    assert agreement(ring(point_of), neighbours(4))[0, 1] == 1.0


def test_views_that_are_not_placed_and_pairs_that_are_no_neighbours_are_not_asked() -> None:
    model = ring(np.tile(np.arange(NUM_FEATURES), (3, 1)))
    pairs = neighbours(6)
    pairs[0, 2] = VerifiedPair(np.eye(3), pairs[0, 1].indices[:, ::-1] * 0, 1.0)
    assert broken_neighbours(model, pairs, 6) == ()


@pytest.mark.parametrize(
    ("tears", "verdict"), [(0, Verdict.SURE), (1, Verdict.DOUBTFUL), (2, Verdict.REJECTED)]
)
def test_one_tear_makes_a_scene_doubtful_and_two_reject_it(tears: int, verdict: Verdict) -> None:
    judged = with_broken_neighbours(
        Assessment(Verdict.SURE, "fits", np.ones(4)), tuple((k, k + 1) for k in range(tears))
    )
    assert judged.verdict is verdict
    assert judged.folded == (verdict is Verdict.REJECTED)
