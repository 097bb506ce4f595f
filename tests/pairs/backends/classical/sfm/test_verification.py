"""Pairs checked by their epipolar geometry."""

from __future__ import annotations

import numpy as np

from pairs.backends.classical.sfm.verification import shift_fundamental, verify_pairs


def seen_by_two(rng: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (N, 2) of random points in two cameras 15 degrees apart."""
    points = rng.uniform(-1, 1, (number, 3))
    K = np.array([[500, 0, 319.5], [0, 500, 239.5], [0, 0, 1]])
    positions = []
    for angle in (0.0, np.deg2rad(15)):
        R = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        projected = (points @ R.T + [0, 0, 5]) @ K.T
        positions.append(projected[:, :2] / projected[:, 2:])
    return positions[0], positions[1]


def epipolar_residual(F: np.ndarray, xy_a: np.ndarray, xy_b: np.ndarray) -> np.ndarray:
    lines = np.c_[xy_a, np.ones(len(xy_a))] @ F.T
    return np.abs((np.c_[xy_b, np.ones(len(xy_b))] * lines).sum(1)) / np.linalg.norm(lines[:, :2], axis=1)


def test_wrong_matches_are_dropped_and_right_ones_stay() -> None:
    rng = np.random.default_rng(0)
    a, b = seen_by_two(rng, 100)
    b[80:] = rng.uniform(0, 480, (20, 2))
    every = np.stack([np.arange(100)] * 2, axis=1).astype(np.int32)
    pair = verify_pairs([a, b], {(0, 1): every}, 1.0, 15)[0, 1]
    assert set(range(80)) <= set(pair.indices[:, 0])
    assert (epipolar_residual(pair.F, a, b)[pair.indices[:, 0]] < 2).all()
    assert pair.share == len(pair.indices) / 100


def test_a_pair_of_chance_matches_is_no_pair() -> None:
    rng = np.random.default_rng(0)
    every = np.stack([np.arange(30)] * 2, axis=1).astype(np.int32)
    few = {(0, 1): every, (0, 2): every[:9]}
    assert verify_pairs([rng.uniform(0, 480, (30, 2)) for _ in range(3)], few, 1.0, 15) == {}


def test_a_shifted_fundamental_matrix_fits_shifted_positions() -> None:
    a, b = seen_by_two(np.random.default_rng(0), 60)
    every = np.stack([np.arange(60)] * 2, axis=1).astype(np.int32)
    F = verify_pairs([a, b], {(0, 1): every}, 1.0, 15)[0, 1].F
    shifted = shift_fundamental(F, 0.5)
    np.testing.assert_allclose(
        epipolar_residual(shifted, a + 0.5, b + 0.5), epipolar_residual(F, a, b), atol=1e-9
    )
    assert epipolar_residual(F, a + 0.5, b + 0.5).max() > 0.01
