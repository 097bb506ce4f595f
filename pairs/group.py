"""Pair predictions cut from the prediction of a whole group: all pairs in one world and one scale."""

from __future__ import annotations

import numpy as np

from pairs.prediction import GroupPrediction, Matches, PairEntry, PairPrediction


def pointmap(depth: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Return the points (H, W, 3) float32, in the camera's own frame, of depth (H, W): every one on its pixel's ray, z K^-1 (x, y, 1)."""
    h, w = depth.shape
    ray_from_pixel = np.linalg.inv(K)
    x, y = np.arange(w)[None, :, None], np.arange(h)[:, None, None]
    rays = x * ray_from_pixel[:, 0] + y * ray_from_pixel[:, 1] + ray_from_pixel[:, 2]  # (H, W, 3)
    return (depth[..., None] * rays).astype(np.float32)


def pair_from_group(group: GroupPrediction, a: int, b: int, matches: Matches | None = None) -> PairEntry:
    """Return what the group says of the pair (a, b), in both orders, with the matches that are handed in.

    Both runs come from the same depth maps, so they agree to rounding. Nothing is kept: a pair of 512 x 384 takes 10 MB while it is used.
    """
    a_in_a, b_in_b = (pointmap(group.depth[v], group.cameras.K[v]) for v in (a, b))
    b_from_a = group.cameras.cam_from_world[b] @ group.cameras.world_from_cam[a]
    a_from_b = group.cameras.cam_from_world[a] @ group.cameras.world_from_cam[b]
    ab = PairPrediction(a_in_a, _moved(a_from_b, b_in_b), group.conf[a], group.conf[b])
    ba = PairPrediction(b_in_b, _moved(b_from_a, a_in_a), group.conf[b], group.conf[a])
    return PairEntry(ab, ba, matches)


def _moved(b_from_a: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Carry points (H, W, 3) of frame a to frame b, in float32."""
    flat = points.reshape(-1, 3).astype(np.float64)  # (H W, 3)
    return (flat @ b_from_a[:3, :3].T + b_from_a[:3, 3]).astype(np.float32).reshape(points.shape)
