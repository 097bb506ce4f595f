"""Semi-global matching: costs gathered along four directions, and the best plane between planes.

See (docs/classical_backend.md, "Semi-global matching").
"""

from __future__ import annotations

import numpy as np

# Of costs in [0, 1]. Flat around here: half of both penalties costs 3 % of the median error, a quarter 7 %.
# Letting the large one fall at grey edges, as usual, changed nothing.
SMALL_STEP = 0.12
"""Penalty of a change by one plane from pixel to pixel."""
LARGE_STEP = 1.2
"""Penalty of any larger change."""
_STRIP_ROWS = 128
"""Rows whose paths from left and right are followed together."""


def aggregate(volume: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the sum (h, P, w) of the path costs from the left, right, top and bottom, for costs (h, P, w)
    and a mask (h, w).

    Along a path, L(x, p) = C(x, p) + min(L(x', p), L(x', p +- 1) + small, min L(x') + large) - min L(x') with
    x' the pixel before; a path that comes out of the background starts anew with L = C. What the sum says
    outside the mask means nothing.
    """
    total = np.zeros_like(volume)
    _add_paths(volume, mask, total)
    # Rows do not know of each other: a strip of them at a time, or copies would take as much memory again.
    for top in range(0, len(volume), _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        # Striding through the columns of the volume takes three times as long, this copy counted.
        turned = np.ascontiguousarray(volume[rows].transpose(2, 1, 0))
        across = np.zeros_like(turned)
        _add_paths(turned, np.ascontiguousarray(mask[rows].T), across)
        total[rows] += across.transpose(2, 1, 0)
    return total


def best_plane(total: np.ndarray) -> np.ndarray:
    """Return the position (h, w) float32 of the smallest of costs (h, P, w), by a parabola through it and its
    two neighbours.
    """
    best = np.stack([row.argmin(0) for row in total])  # (h, w)
    inner = np.clip(best, 1, total.shape[1] - 2)
    before, at, after = (np.take_along_axis(total, (inner + k)[:, None], 1)[:, 0] for k in (-1, 0, 1))
    return best.astype(np.float32) + np.where(
        best == inner, parabola_offset(before, at, after), np.float32(0)
    )


def parabola_offset(before: np.ndarray, at: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return where the parabola through three equally spaced costs is least, from the middle, within half a
    step.
    """
    curvature = before + after - 2 * at
    rising = curvature > 0
    return np.where(
        rising, np.clip((before - after) / (2 * np.where(rising, curvature, 1)), -0.5, 0.5), 0
    ).astype(np.float32)


def _add_paths(cost: np.ndarray, mask: np.ndarray, total: np.ndarray) -> None:
    """Add to `total` the path costs along the first axis, both ways, of costs (n, P, m), all planes of a row
    at once.
    """
    n = len(cost)
    for rows in (range(n), range(n - 1, -1, -1)):
        path = np.zeros_like(cost[0])
        inside = np.zeros_like(mask[0])
        for r in rows:
            # Smoothness must not reach across the background from another part of the object.
            path = cost[r] + _arrival_cost(path) * inside
            inside = mask[r]
            total[r] += path


def _arrival_cost(path: np.ndarray) -> np.ndarray:
    """Return the least cost (P, m), above the best of all planes, of coming to each plane from the pixel
    before.
    """
    # Taken off at every step, as in the paper: sums would grow along a path until float32 lost their
    # differences. It shifts all planes of a pixel alike, so no minimum moves.
    path = path - path.min(0)
    cost = np.minimum(path, np.float32(LARGE_STEP))
    raised = path + np.float32(SMALL_STEP)
    np.minimum(cost[1:], raised[:-1], out=cost[1:])
    np.minimum(cost[:-1], raised[1:], out=cost[:-1])
    return cost
