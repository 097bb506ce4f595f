"""Matches for pairs that come without: pixels whose points are each other's nearest neighbours in 3D."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import KDTree

from pairs.prediction.predictions import NO_MATCHES, Matches, PairEntry, PairPrediction, swap_matches
from pairs.views.view import View, grid_mask

_STRIDE = 4
"""One query every so many pixels: neighbouring matches carry the same errors, so more of them only
cost time."""


def with_matches(entry: PairEntry, a: View, b: View) -> PairEntry:
    """Return the pair with matches: its own, else reciprocal nearest neighbours in the pointmaps of its runs,
    inside the masks.
    """
    if entry.matches is not None:
        return entry
    mask_a, mask_b = grid_mask(a), grid_mask(b)
    found = []
    if entry.ab is not None:
        found.append(reciprocal_matches(entry.ab, mask_a, mask_b))
    if entry.ba is not None:
        found.append(swap_matches(reciprocal_matches(entry.ba, mask_b, mask_a)))
    return replace(entry, matches=_distinct(found))


def reciprocal_matches(run: PairPrediction, mask_a: np.ndarray, mask_b: np.ndarray) -> Matches:
    """Return the pixels of a, on a coarse grid, and of b whose points in a's frame are each other's nearest
    neighbours.

    Only finite points inside the masks take part. Confidence: geometric mean of both pixels' confidences. No
    candidates: no matches.
    """
    ij_a, points_a = _candidates(run.a_in_a, mask_a)
    ij_b, points_b = _candidates(run.b_in_a, mask_b)
    if len(points_a) == 0 or len(points_b) == 0:
        return NO_MATCHES
    # Only queries are thinned out: all points of both maps compete, or a match could be mutual for want of
    # rivals.
    query = np.flatnonzero((ij_a % _STRIDE == _STRIDE // 2).all(1))
    nearest_b, mutual = mutual_nearest(points_a, points_b, query)
    ia, ib = ij_a[query[mutual]], ij_b[nearest_b[mutual]]
    conf = np.sqrt(run.a_conf[ia[:, 0], ia[:, 1]].astype(float) * run.b_conf[ib[:, 0], ib[:, 1]])
    return Matches(ia[:, ::-1].astype(float), ib[:, ::-1].astype(float), conf)


def _candidates(points: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ij = np.argwhere(mask & np.isfinite(points).all(-1))
    return ij, points[ij[:, 0], ij[:, 1]].astype(float)


def _distinct(found: list[Matches]) -> Matches:
    """Join matches; a pair of pixels that both runs found is kept once, with its larger confidence."""
    xy = np.concatenate([np.concatenate([m.xy_a, m.xy_b], 1) for m in found])
    conf = np.concatenate([m.conf for m in found])
    # By position, the surest first among equals: then the first of each group is the one to keep.
    order = np.lexsort((-conf, *xy.T[::-1]))
    xy, conf = xy[order], conf[order]
    first = np.ones(len(xy), bool)
    first[1:] = (xy[1:] != xy[:-1]).any(1)
    return Matches(xy[first, :2], xy[first, 2:], conf[first])


def mutual_nearest(
    points: np.ndarray, among: np.ndarray, asked: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return for points (N, 3) the index (N,) of the nearest one among (K, 3), and whether (N,) that one's
    nearest is the point itself.

    `asked` (Q,) chooses points to ask for; the others still compete for being nearest. Neither list may be
    empty.
    """
    own = np.arange(len(points)) if asked is None else asked
    nearest = np.asarray(KDTree(among).query(points[own])[1])
    back = np.asarray(KDTree(points).query(among[nearest])[1])
    return nearest, back == own
