"""Matches of a pair: places that both depth maps agree on, and scene points that both views see.

See (docs/classical_backend.md, "Pairs cut from the scene").
"""

from __future__ import annotations

import numpy as np

from pairs.backends.classical.stereo.fusion import CONFIDENT, DEPTH_TOLERANCE
from pairs.backends.classical.stereo.warp import sample_valid, warp_between, warp_image_to
from pairs.prediction.predictions import (
    NO_MATCHES,
    GroupPrediction,
    Matches,
    join_matches,
    select_matches,
    swap_matches,
)

# Median error by confidence: 0.07 px above 10, 0.12 from 6 to 10, 0.19 from 3 to 6, 0.92 below.
LEAST_CONF = 3.0
"""Induced matches below it are worse than a pixel half of the time."""
# An aligner takes a pair with matches for connected; this few do not hold a relative pose.
LEAST_MATCHES = 20
"""A pair with fewer hands on none, so that it does not count as connected."""
_GRAZING = np.cos(np.radians(80))
"""Where either camera sees the surface at a more grazing angle, two fifths of the matches are off by more
than a pixel: rims pass for each other."""


def sure_matches(induced: Matches, features: Matches) -> Matches:
    """Join both kinds of a pair, keep confidences of at least 3, and hand on none at all when fewer than 20
    are left.
    """
    joined = join_matches([induced, features])
    kept = select_matches(joined, joined.conf >= LEAST_CONF)
    return kept if len(kept.conf) >= LEAST_MATCHES else NO_MATCHES


def induced_matches(group: GroupPrediction, a: int, b: int, step: int) -> Matches:
    """Return matches between every `step`-th pixel of one view and its sub-pixel place in the other, first
    from a to b, then from b to a.

    Both views must be confident there, look at the surface at less than 80 degrees, and agree on its depth
    within 1 %; confidence is the geometric mean. Confidence is 1 outside masks, so no match starts or ends in
    the background.
    """
    forth, back = _one_way(group, a, b, step), _one_way(group, b, a, step)
    return join_matches([forth, swap_matches(back)])


def _one_way(group: GroupPrediction, a: int, b: int, step: int) -> Matches:
    h, w = group.depth[a].shape
    y, x = (g.ravel() for g in np.mgrid[step // 2 : h : step, step // 2 : w : step])
    sure = group.conf[a][y, x] > CONFIDENT
    y, x = y[sure], x[sure]
    x_b, y_b, q = warp_image_to(
        warp_between(group.cameras, b, a),
        x.astype(np.float64),
        y.astype(np.float64),
        1 / group.depth[a][y, x].astype(np.float64),
    )
    (q_b, conf_b), sure = sample_valid(
        [1 / group.depth[b], group.conf[b]], group.conf[b] > CONFIDENT, x_b, y_b
    )
    kept = sure & (np.abs(q_b - q) < DEPTH_TOLERANCE * q_b) & (least_cosine(group, a, b, x, y) > _GRAZING)
    conf = np.sqrt(group.conf[a][y, x] * conf_b)
    xy_a, xy_b = np.stack([x, y], -1).astype(np.float64), np.stack([x_b, y_b], -1)
    return Matches(xy_a[kept], xy_b[kept], conf[kept])


def least_cosine(group: GroupPrediction, a: int, b: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (N,) the smaller cosine between the surface's normal at integer pixels of view a and the
    directions to cameras a and b.

    It is 1 where both look squarely, near 0 at a grazing angle, negative where b would look at the surface
    from behind.
    """
    depth, K = group.depth[a], group.cameras.K[a]
    h, w = depth.shape
    left, right, above, below = (
        np.maximum(x - 1, 0),
        np.minimum(x + 1, w - 1),
        np.maximum(y - 1, 0),
        np.minimum(y + 1, h - 1),
    )
    q, q_left, q_right, q_above, q_below = (
        1 / depth[rows, columns].astype(np.float64)
        for rows, columns in ((y, x), (y, left), (y, right), (above, x), (below, x))
    )
    # A plane n X = 1 has the inverse depth q(x) = n K^-1 (x, y, 1), affine in the pixel with gradient g: n =
    # K^T (g_x, g_y, q - g_x x - g_y y).
    g_x, g_y = (q_right - q_left) / (right - left), (q_below - q_above) / (below - above)
    normals = np.stack([g_x, g_y, q - g_x * x - g_y * y], -1) @ K  # (N, 3)
    points = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(K).T / q[:, None]
    b_in_a = (group.cameras.cam_from_world[a] @ group.cameras.world_from_cam[b])[:3, 3]
    lengths = np.linalg.norm(normals, axis=-1)
    to_a = 1 / (lengths * np.linalg.norm(points, axis=-1))
    # n X = 1 on the plane, so n (X - c) = 1 - n c: the distance from camera b to the plane, over that to the
    # point, is the cosine.
    to_b = (1 - normals @ b_in_a) / (lengths * np.linalg.norm(points - b_in_a, axis=-1))
    return np.minimum(to_a, to_b)
