"""Predictions of the small bumpy surface from cameras that share no axis, with the noise of a network that
is right.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from small_scene import FOCAL, HEIGHT, WIDTH, depth_map, pair_record, points_in

from masks.pixelmap import identity
from pairs.prediction.predictions import Matches, PairEntry, PairPrediction, Predictions
from pairs.views.view import View

NUM_VIEWS = 6
_ANGLES = (
    (-30, 14, 5),
    (-17, -12, -8),
    (-5, 18, 3),
    (8, -16, 10),
    (19, 9, -4),
    (31, -5, 6),
)  # azimuth, elevation, roll
_NOISE = 0.003


def _pose(k: int) -> np.ndarray:
    azimuth, elevation, roll = _ANGLES[k]
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("zxy", (roll, elevation, azimuth), degrees=True).as_matrix()
    pose[:3, 3] = 0.05 * k, -0.04 * k, 4 + 0.1 * k
    return pose


TRUTH = np.stack([_pose(k) for k in range(NUM_VIEWS)])
TRUE_K = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
_POSES = [torch.from_numpy(pose) for pose in TRUTH]
_DEPTHS = [depth_map(pose) for pose in _POSES]


def _entry(a: int, b: int) -> PairEntry:
    rng = np.random.default_rng(10 * a + b)
    conf = np.full((HEIGHT, WIDTH), 5.0)

    def noisy(frame: int, of: int, scale: float) -> np.ndarray:
        points = scale * points_in(_POSES[frame], _POSES[of], _DEPTHS[of]).numpy()
        return points * (1 + _NOISE * rng.standard_normal(points.shape))

    scales = np.exp(rng.uniform(-0.4, 0.4, 2))
    runs = [
        PairPrediction(noisy(i, i, s), noisy(i, j, s), conf, conf) for s, i, j in zip(scales, (a, b), (b, a))
    ]
    record = pair_record(_POSES, _DEPTHS, a, b)
    return PairEntry(*runs, Matches(record.xy_a.numpy(), record.xy_b.numpy(), record.conf.numpy()))


EDGES = tuple((a, b) for b in range(NUM_VIEWS) for a in range(b))
_ENTRIES = {edge: _entry(*edge) for edge in EDGES}


def stated(
    poses: np.ndarray | None = None, K: np.ndarray | None = None, views: int = NUM_VIEWS
) -> Predictions:
    """Return the predictions of the first views with stated poses (V, 4, 4), or K (3, 3) or (V, 3, 3)."""
    edges = tuple(edge for edge in EDGES if max(edge) < views)
    image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    plain = [
        View(f"{k}.jpg", None, image, identity((WIDTH, HEIGHT)), None, str(k), camera=str(k))
        for k in range(views)
    ]
    each = None if K is None else np.broadcast_to(K, (views, 3, 3)).copy()
    known = tuple(
        replace(view, K=None if each is None else each[k], cam_from_world=None if poses is None else poses[k])
        for k, view in enumerate(plain)
    )
    return Predictions(known, edges, lambda k: _ENTRIES[edges[k]], None, ())
