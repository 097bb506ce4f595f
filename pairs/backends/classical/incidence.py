"""How squarely two cameras look at a surface.

A plane is linear in inverse depth: with its gradient (g_x, g_y) at pixel (x, y), all points X of the tangent plane satisfy n . X = 1 with
n = K^T (g_x, g_y, q - g_x x - g_y y), in the camera's frame. The normal has the direction of n, and a camera at C faces the surface if n . C < 1.
"""

from __future__ import annotations

import numpy as np

from pairs.prediction.predictions import GroupPrediction


def least_cosine(group: GroupPrediction, a: int, b: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (N,) the smaller cosine between the surface's normal at integer pixels of view a and the directions to cameras a and b.

    It is 1 where both look squarely, near 0 at a grazing angle, negative where b would look at the surface from behind.
    """
    depth, K = group.depth[a], group.cameras.K[a]
    h, w = depth.shape
    left, right, above, below = np.maximum(x - 1, 0), np.minimum(x + 1, w - 1), np.maximum(y - 1, 0), np.minimum(y + 1, h - 1)
    q, q_left, q_right, q_above, q_below = (
        1 / depth[rows, columns].astype(np.float64) for rows, columns in ((y, x), (y, left), (y, right), (above, x), (below, x))
    )
    g_x, g_y = (q_right - q_left) / (right - left), (q_below - q_above) / (below - above)
    normals = np.stack([g_x, g_y, q - g_x * x - g_y * y], -1) @ K  # (N, 3)
    points = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(K).T / q[:, None]
    b_in_a = (group.cameras.cam_from_world[a] @ group.cameras.world_from_cam[b])[:3, 3]
    lengths = np.linalg.norm(normals, axis=-1)
    to_a = 1 / (lengths * np.linalg.norm(points, axis=-1))
    to_b = (1 - normals @ b_in_a) / (lengths * np.linalg.norm(points - b_in_a, axis=-1))
    return np.minimum(to_a, to_b)
