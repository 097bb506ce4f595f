"""Intrinsics from pointmaps, with nothing assumed: neither one focal for both axes nor a principal point in
the middle.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_ROUNDS = 10
_CUT = 1.5  # residuals beyond this multiple of their median lose their weight
_LEAST_POINTS = 30
_MOST_POINTS = 4000
"""More of a map change the fit by less than a network's own error."""
_MOST_MAPS = 5
_LARGEST_RESIDUAL = 0.03
"""In the middle, of the extent of the points in the picture: beyond, the map is not one of a pinhole
camera, and its fit says nothing."""


def fit_pinhole(pointmaps: Sequence[np.ndarray], inside: np.ndarray) -> np.ndarray | None:
    """Return the intrinsics (3, 3) by which pointmaps (H, W, 3) of one view, in its own frame, project onto
    their pixels.

    The middle over the maps, of the pixels `inside` (H, W) alone. None where no map tells: too few points,
    or no pinhole's.
    """
    chosen = np.linspace(0, len(pointmaps) - 1, min(len(pointmaps), _MOST_MAPS)).round().astype(int)
    found = [lines for k in chosen if (lines := _fit(pointmaps[k], inside)) is not None]
    if not found:
        return None
    slope, offset = np.median(found, 0)
    K = np.eye(3)
    K[[0, 1], [0, 1]], K[:2, 2] = 1 / slope, -offset / slope
    return K


def _fit(points: np.ndarray, inside: np.ndarray) -> np.ndarray | None:
    """Return slopes and offsets (2, 2) of X/Z and Y/Z over the pixel's column and row; none where they do
    not lie on lines.
    """
    y, x = np.nonzero(inside & np.isfinite(points).all(-1) & (points[..., 2] > 0))
    step = max(1, len(x) // _MOST_POINTS)
    xy, points = np.stack([x, y], 1)[::step].astype(float), points[y, x][::step].astype(float)
    if len(xy) < _LEAST_POINTS or min(np.ptp(xy, 0)) == 0:
        return None
    # The pixels are exact and the points are not: regressing pixels on points instead, noise would shorten
    # the focal.
    lines = [_line(pixel, ratio) for pixel, ratio in zip(xy.T, (points[:, :2] / points[:, 2:]).T)]
    if any(line is None for line in lines):
        return None
    return np.array(lines).T


def _line(pixel: np.ndarray, ratio: np.ndarray) -> tuple[float, float] | None:
    """Return slope and offset of ratios (N,) over pixels (N,), by least squares with Cauchy's weights; none
    where large residuals stay.
    """
    design = np.stack([pixel, np.ones_like(pixel)], 1)
    weight, residual = np.ones_like(pixel), ratio
    slope, offset = 0.0, 0.0
    for _ in range(_ROUNDS):
        weighted = design * weight[:, None]
        slope, offset = np.linalg.solve(weighted.T @ design, weighted.T @ ratio)
        residual = np.abs(ratio - slope * pixel - offset)
        weight = 1 / (1 + (residual / max(_CUT * float(np.median(residual)), 1e-12)) ** 2)
    if not slope > 0 or np.median(residual) > _LARGEST_RESIDUAL * slope * np.ptp(pixel):
        return None
    return float(slope), float(offset)
