"""A ring of cameras on uneven steps and heights about scattered points, with their matches."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.verification import VerifiedPair, verify_pair
from pairs.views.pose_readings import Poses

SIZE, K = (640, 480), np.array([[900.0, 0, 319.5], [0, 900.0, 239.5], [0, 0, 1]])
POINTS = np.random.default_rng(5).uniform(-1, 1, (120, 3))
ANGLES = np.cumsum(np.random.default_rng(1).uniform(10, 24, 12))


def pose(degrees: float, tilt_degrees: float) -> np.ndarray:
    """Return cam_from_world (4, 4) of a camera six units from the origin, which it looks at."""
    a, tilt = np.deg2rad(degrees), np.deg2rad(tilt_degrees)
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    found = np.eye(4)
    found[:3, :3], found[2, 3] = about_x @ about_y, 6
    return found


TRUE = np.stack([pose(angle, 15 + 12 * np.sin(angle)) for angle in ANGLES])
NAMES = [f"{k}.jpg" for k in range(len(TRUE))]


def of_matrices(matrices: np.ndarray) -> Poses:
    return matrices[:, :3, :3], matrices[:, :3, 3]


def key_points(noise_px: float = 0.2) -> tuple[np.ndarray, ...]:
    """Return where every view sees all points (N, 2)."""
    rng, found = np.random.default_rng(6), []
    for matrix in TRUE:
        at = (POINTS @ matrix[:3, :3].T + matrix[:3, 3]) @ K.T
        found.append((at[:, :2] / at[:, 2:] + rng.normal(0, noise_px, (len(POINTS), 2))).astype(np.float32))
    return tuple(found)


def verified(xy: tuple[np.ndarray, ...]) -> dict[Pair, VerifiedPair]:
    """Return the pairs of views at most three steps apart."""
    every = np.stack([np.arange(len(POINTS))] * 2, axis=1).astype(np.int32)
    pairs = {}
    for a, b in combinations(range(len(xy)), 2):
        if b - a <= 3 and (found := verify_pair(xy[a], xy[b], every, 1.0)) is not None:
            pairs[a, b] = found
    return pairs
