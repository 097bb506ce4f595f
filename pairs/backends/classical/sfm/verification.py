"""Pairs checked by their epipolar geometry (docs/classical_backend.md, "Verification").

The limit is one pixel: with more, pairs of sides that look alike pass, and views of a turntable end up some
degrees off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pairs.backends.classical.sfm.matching import Pair

# Eight fix a fundamental matrix; with fewer than two to spare everything agrees.
_MIN_MATCHES = 10
_CONFIDENCE, _TRIES = 0.9999, 10_000


@dataclass(frozen=True, slots=True)
class VerifiedPair:
    """Matches of two views that agree with one fundamental matrix."""

    F: np.ndarray  # (3, 3), x_b^T F x_a = 0, working pixels with integer centres
    indices: np.ndarray  # (M, 2) int32, key points of both views
    share: float
    """Verified matches among all matches of the pair."""


def verify_pairs(
    xy: Sequence[np.ndarray], matches: Mapping[Pair, np.ndarray], max_error_px: float, min_inliers: int
) -> dict[Pair, VerifiedPair]:
    """Return the pairs whose matches agree with an epipolar geometry, and of those only the agreeing ones."""
    checked = {
        (a, b): verify_pair(xy[a], xy[b], m, max_error_px)
        for (a, b), m in matches.items()
        if len(m) >= _MIN_MATCHES
    }
    return {
        pair: verified
        for pair, verified in checked.items()
        if verified is not None and len(verified.indices) >= min_inliers
    }


def verify_pair(
    xy_a: np.ndarray, xy_b: np.ndarray, matches: np.ndarray, max_error_px: float
) -> VerifiedPair | None:
    """Fit a fundamental matrix robustly; none when no model fits."""
    at_a, at_b = xy_a[matches[:, 0]].astype(np.float64), xy_b[matches[:, 1]].astype(np.float64)
    try:
        # Its generator starts from the same state at every call, so equal matches give equal inliers.
        F, inliers = cv2.findFundamentalMat(at_a, at_b, cv2.USAC_MAGSAC, max_error_px, _CONFIDENCE, _TRIES)
    except cv2.error:
        # OpenCV 5.0 raises on a degenerate model of a few samples, however good the pair.
        F, inliers = cv2.findFundamentalMat(at_a, at_b, cv2.FM_RANSAC, max_error_px, _CONFIDENCE, _TRIES)
    if F is None or inliers is None or F.shape != (3, 3):
        return None
    agreeing = matches[inliers.ravel() > 0]
    return VerifiedPair(F, agreeing, len(agreeing) / len(matches))


def shift_fundamental(F: np.ndarray, offset: float) -> np.ndarray:
    """Return the fundamental matrix for positions that all have `offset` added, x and y, in both views."""
    # x' = T x with T the shift: x_b^T F x_a = 0 becomes x'_b^T (T^-T F T^-1) x'_a = 0.
    back = np.eye(3)
    back[:2, 2] = -offset
    return back.T @ F @ back
