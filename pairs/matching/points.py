"""Points of two pictures in one frame that are each other's nearest neighbours (the dense aligner's specification, chapter 8b)."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree


def mutual_nearest(points: np.ndarray, among: np.ndarray, asked: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return for points (N, 3) the index (N,) of the nearest one among (K, 3), and whether (N,) that one's nearest is the point itself.

    `asked` (Q,) chooses points to ask for; the others still compete for being nearest. Neither list may be empty.
    """
    own = np.arange(len(points)) if asked is None else asked
    nearest = np.asarray(KDTree(among).query(points[own])[1])
    back = np.asarray(KDTree(points).query(among[nearest])[1])
    return nearest, back == own
