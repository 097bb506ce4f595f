"""Views rolled about their axes around a cloud of points: such a scene shows lens and principal point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from masks.lens import Lens
from pairs.backends.classical.sfm.mapper import MapperModel, seen_at
from pairs.views.cameras import Cameras

SIZE = (640, 480)
FOCAL, CENTRE, MIDDLE = 600.0, (330.0, 228.0), (319.5, 239.5)
NOISE_PX = 0.2
NUM_POINTS = 300


def turned(degrees: float, tilt: float, roll: float) -> np.ndarray:
    def about(axis: int, angle: float) -> np.ndarray:
        c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        i, j = (axis + 1) % 3, (axis + 2) % 3
        R = np.eye(3)
        R[i, i], R[i, j], R[j, i], R[j, j] = c, -s, s, c
        return R

    pose = np.eye(4)
    pose[:3, :3] = about(2, roll) @ about(0, tilt) @ about(1, degrees)
    pose[2, 3] = 4.0
    return pose


def rolled_scene(
    focals: tuple[float, ...] = (FOCAL,) * 8,
    lenses: Sequence[Lens | None] = (),
    centre: tuple[float, float] = CENTRE,
) -> tuple[MapperModel, tuple[np.ndarray, ...]]:
    """Return the true model, all points seen by all views, and the key points with noise; views rolled, so
    that the principal point shows.
    """
    random = np.random.default_rng(1)
    num_views = len(focals)
    points = random.uniform(-1, 1, (NUM_POINTS, 3)) * (1.6, 1.2, 1.0)
    K = np.array([[[f, 0, centre[0]], [0, f, centre[1]], [0, 0, 1]] for f in focals])
    poses = np.stack([turned(12 * k, 20 * (-1) ** k, 60 * k) for k in range(num_views)])
    by, point = (g.ravel().astype(np.int32) for g in np.mgrid[:num_views, :NUM_POINTS])
    model = MapperModel(tuple(range(num_views)), Cameras(K, poses), points, point, by, point, tuple(lenses))
    xy = tuple(
        seen_at(model, k, points)[0] + random.normal(0, NOISE_PX, (NUM_POINTS, 2)) for k in range(num_views)
    )
    return model, xy
