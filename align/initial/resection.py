"""A camera from points that it sees: perspective-n-point with random samples."""

from __future__ import annotations

import cv2
import numpy as np

_LEAST_POINTS = 12
"""Twice what a camera has unknowns: fewer agree by chance."""
_ERROR_PX = 4.0
"""Twice the distance within which matches count as agreeing: the points have errors of depth, too."""
_TRIES = 1000
_SURE = 0.9999
"""Tries end early at this certainty. Generous: only a few views are placed so, each once."""


def resect(points: np.ndarray, pixels: np.ndarray, focal: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the rotation (3, 3) and translation (3,) of a camera that sees points (N, 3) at pixels (N, 2)
    less its principal point.

    By random samples and perspective-n-point, robust against wrong matches. Returns nothing when no camera
    sees enough of them.
    """
    if len(points) < _LEAST_POINTS:
        return None
    K = np.diag([focal, focal, 1.0])
    options = {
        "iterationsCount": _TRIES,
        "reprojectionError": _ERROR_PX,
        "confidence": _SURE,
        "flags": cv2.SOLVEPNP_SQPNP,
    }
    found, turn, t, inliers = cv2.solvePnPRansac(points, pixels, K, None, **options)
    if not found or inliers is None or len(inliers) < _LEAST_POINTS:
        return None
    near = inliers[:, 0]
    turn, t = cv2.solvePnPRefineLM(points[near], pixels[near], K, None, turn, t)
    return cv2.Rodrigues(turn)[0], t[:, 0]
