"""How far rays lie from where another camera's ray can be seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from posed_ring import TRUE, K, key_points, of_matrices, verified

from pairs.backends.classical.known.match_evidence import arc_distances, match_evidence

AHEAD, RIGHT = np.array([0.0, 0, 1]), np.array([1.0, 0, 0])


def distance(towards_a: np.ndarray, ray_b: np.ndarray) -> float:
    """Of a ray of b from the ray straight ahead of a camera a that is not turned."""
    ray_b = ray_b / np.linalg.norm(ray_b)
    return float(arc_distances(np.eye(3)[None], towards_a[None], AHEAD[None, None], ray_b[None, None])[0, 0])


@given(st.floats(0.01, 100))
def test_points_in_front_of_both_cameras_lie_on_the_arc(depth: float) -> None:
    assert distance(RIGHT, RIGHT + depth * AHEAD) == pytest.approx(0, abs=1e-9)


@given(st.floats(0.1, 1.5))
def test_points_behind_are_as_far_as_their_ray_is_from_infinity(angle: float) -> None:
    """The rays part: they would meet behind both cameras."""
    away = np.cos(angle) * AHEAD - np.sin(angle) * RIGHT
    assert distance(RIGHT, away) == pytest.approx(angle, abs=1e-9)


def test_cameras_in_one_place_see_the_same_rays() -> None:
    assert distance(np.zeros(3), AHEAD + 0.1 * RIGHT) == pytest.approx(np.arctan(0.1))


def test_true_poses_leave_the_noise_and_the_focal_is_found() -> None:
    xy = key_points(noise_px=0.2)
    focals = [np.diag([f, f, 1.0]) @ K for f in (0.5, 0.8, 1.0, 1.3, 2.0)]
    for each in focals:
        each[:2, 2] = K[:2, 2]
    evidence = match_evidence(xy, verified(xy), range(len(TRUE)), [[each] * len(TRUE) for each in focals])
    poses = of_matrices(TRUE)
    assert evidence.best_focal(poses) == 2
    assert evidence.middle(evidence.misfits(poses)) < 0.4
    assert evidence.thinned().best_focal(poses) == 2
