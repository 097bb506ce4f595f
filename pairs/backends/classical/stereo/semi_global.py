"""Semi-global matching: costs gathered along four directions, and the best plane between planes.

See (docs/classical_backend.md, "Semi-global matching").
"""

from __future__ import annotations

import cv2
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
    total = _path_costs(volume, mask)
    planes = range(volume.shape[1])
    # Rows do not know of each other: a strip of them at a time, or copies would take as much memory again.
    for top in range(0, len(volume), _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        strip = np.ascontiguousarray(mask[rows].T)
        # Striding through the columns of the volume takes three times as long, this copy counted; NumPy's own
        # transposition of all planes at once takes half of that.
        turned = np.empty((len(strip), len(planes), strip.shape[1]), np.float32)
        for p in planes:
            turned[:, p] = cv2.transpose(volume[rows, p])
        across = _path_costs(turned, strip)
        for p in planes:
            total[rows, p] += cv2.transpose(across[:, p])
    return total


def best_plane(total: np.ndarray) -> np.ndarray:
    """Return the position (h, w) float32 of the smallest of costs (h, P, w), by a parabola through it and its
    two neighbours.
    """
    best = _first_least(total)
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


def _first_least(total: np.ndarray) -> np.ndarray:
    """Return the first plane (h, w) with the smallest of costs (h, P, w): `total.argmin(1)` in less than half
    the time.
    """
    least = total.min(1)
    first = np.zeros(least.shape, np.intp)
    for p in reversed(range(total.shape[1])):
        np.copyto(first, p, where=total[:, p] == least)
    return first


def _path_costs(cost: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the sum of the path costs along the first axis, both ways, of costs (n, P, m), all planes of a
    row at once.
    """
    total = np.empty_like(cost)
    for forward in (True, False):
        path = np.zeros_like(cost[0])
        inside = np.zeros_like(mask[0])
        for r in range(len(cost)) if forward else reversed(range(len(cost))):
            # Smoothness must not reach across the background from another part of the object.
            path = cost[r] + _arrival_cost(path) * inside
            inside = mask[r]
            if forward:
                total[r] = path
            else:
                total[r] += path
    return total


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
