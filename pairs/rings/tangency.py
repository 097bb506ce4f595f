"""Tangency: what two silhouettes and two poses say about each other.

A plane through both centres that touches the object touches it in a frontier point, which both cameras see on
their silhouettes (K.-Y. K. Wong, R. Cipolla, Structure and motion from silhouettes, ICCV 2001). There are two
such planes, on either side of the object: two numbers in pixels a pair, without matches, texture or volume.
A tangent fixes attitude sharply and azimuth weakly: a view of a ring turned by one degree is off by 15 to
50 px when tilted, by 0.6 px when moved along the ring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairs.rings.outline import Outline
from pairs.views.cameras import Cameras

LOST_PX = 30.0
"""What a tangent counts that cannot be had: a search must not win by losing its evidence. Without it a focal
of a twentieth of the width "solves" every set, with no tangent left."""
FRAMED_PX = 8.0
"""The same where the frame cuts the object."""
REFERENCE_LONGEST = 700
"""Limits in pixels were found on photos of 640 to 800; on longer ones they grow with the long side."""
MOST_TANGENCY_PX = 3.0
"""In the median of a view: right ones with good masks have 0.3 to 1, with ragged ones 2, wrong ones 5 and
more."""
_STEEPEST = np.tan(1.4)
"""A tangent so far from the middle of both silhouettes runs beside the baseline."""
_WIDEST_RAD = 2.6
"""A silhouette that is wider than this about the baseline holds the epipole, nearly: there is no tangent."""


@dataclass(frozen=True, slots=True)
class Hulls:
    """The hulls of several silhouettes, packed."""

    points: np.ndarray  # (V, M, 2) x, y
    on_frame: np.ndarray  # (V, M) bool
    scale: float
    """By how much limits in pixels are larger than on photos of 640 to 800 pixels, at least 1."""


@dataclass(frozen=True, slots=True)
class Tangency:
    """Disagreement of pairs about both their tangents."""

    residual: np.ndarray  # (E, 2) pixels, signed; a fill value where not usable
    usable: np.ndarray  # (E, 2) bool

    @property
    def larger(self) -> np.ndarray:
        """(E,) the larger of both in pixels, NaN where there is none."""
        size = np.where(self.usable, np.abs(self.residual), -np.inf).max(1)
        return np.where(np.isfinite(size), size, np.nan)

    @property
    def median(self) -> float:
        """Median of all usable ones in pixels; infinite where there is none."""
        return float(np.median(np.abs(self.residual[self.usable]))) if self.usable.any() else np.inf


def hulls_of(outlines: Sequence[Outline]) -> Hulls:
    """Pack hulls for many pairs at once."""
    longest = max(max(outline.size) for outline in outlines)
    return Hulls(
        np.stack([outline.hull for outline in outlines]),
        np.stack([outline.on_frame for outline in outlines]),
        max(1.0, longest / REFERENCE_LONGEST) if longest > 800 else 1.0,
    )


def all_pairs(num_views: int) -> np.ndarray:
    """Return all pairs (E, 2) of views."""
    return np.stack(np.triu_indices(num_views, 1), 1)


def drawn_pairs(pairs: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Return pairs (E, 2), or so many of them in their order where there are more."""
    if len(pairs) <= most:
        return pairs
    return pairs[np.sort(np.random.default_rng(seed).choice(len(pairs), most, replace=False))]


def pairs_across(num_first: int, num_second: int) -> np.ndarray:
    """Return the pairs (E, 2) of each of the first views with each of those that follow them."""
    first, second = np.arange(num_first), num_first + np.arange(num_second)
    return np.stack(np.meshgrid(first, second, indexing="ij"), -1).reshape(-1, 2)


def medians_of_views(cameras: Cameras, outlines: Sequence[Outline]) -> np.ndarray:
    """Return each view's median (V,) over its pairs of the larger disagreement in pixels; NaN without any."""
    pairs = all_pairs(len(outlines))
    larger = tangency(cameras, hulls_of(outlines), pairs).larger
    medians = np.full(len(outlines), np.nan)
    for view in range(len(outlines)):
        own = larger[(pairs == view).any(1)]
        if np.isfinite(own).any():
            medians[view] = np.nanmedian(own)
    return medians


def rays_of(K: np.ndarray, R: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return unit rays (V, M, 3) in world axes of points (V, M, 2), for K and rotations (V, 3, 3)."""
    at_one = np.concatenate([points, np.ones_like(points[..., :1])], -1)
    rays = at_one @ (np.linalg.inv(K).transpose(0, 2, 1) @ R)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def tangency(cameras: Cameras, hulls: Hulls, pairs: np.ndarray, up: np.ndarray | None = None) -> Tangency:
    """Return how far cameras disagree about the tangent planes of pairs (E, 2).

    `hulls` has one entry a camera. With a direction `up` (3,) in the world, across which the baselines lie,
    the first number of a pair is of its lower tangent and the second of its upper one. 630 pairs of 36 views
    take 2 ms; memory grows with E M.
    """
    rays = rays_of(cameras.K, cameras.cam_from_world[:, :3, :3], hulls.points)
    focal = np.sqrt(cameras.K[:, 0, 0] * cameras.K[:, 1, 1])
    return tangency_of_rays(rays, cameras.centres, focal, hulls, pairs, up)


def tangency_of_rays(
    rays: np.ndarray,
    centres: np.ndarray,
    focal: np.ndarray,
    hulls: Hulls,
    pairs: np.ndarray,
    up: np.ndarray | None = None,
) -> Tangency:
    """Return the same from unit rays (V, M, 3) in world axes, centres (V, 3) and focals (V,) in pixels."""
    a, b = pairs.T
    baseline = centres[b] - centres[a]
    length = np.linalg.norm(baseline, axis=1, keepdims=True)
    baseline = baseline / np.maximum(length, 1e-12)
    middle = rays.mean(1)
    ahead = middle[a] + middle[b]
    ahead = ahead - (ahead * baseline).sum(1, keepdims=True) * baseline
    ahead = ahead / np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-12)
    across = np.cross(baseline, ahead)
    if up is not None:
        across = np.where(across @ up < 0, -1, 1)[:, None] * across
    frame = np.stack([ahead, across], -1)  # (E, 3, 2)
    sides = [extremes(rays, hulls.on_frame, view, frame) for view in (a, b)]
    slope = np.stack([side.slope for side in sides])  # (2 views, E, 2 tangents)
    angle = np.arctan(slope)
    sine = np.stack([side.sine for side in sides])
    residual = (angle[0] - angle[1]) * (focal[pairs.T][:, :, None] * sine).min(0)
    framed = sides[0].framed | sides[1].framed
    narrow = (angle[:, :, 1] - angle[:, :, 0] < _WIDEST_RAD).all(0)
    good = narrow & (length[:, 0] > 1e-12) & sides[0].in_front & sides[1].in_front
    sound = good[:, None] & (np.abs(slope) < _STEEPEST).all(0)
    lost = np.where(framed, FRAMED_PX, LOST_PX) * hulls.scale
    usable = sound & ~framed
    return Tangency(np.where(usable, residual, lost), usable)


@dataclass(frozen=True, slots=True)
class Extremes:
    """Both tangents of one view in each of several frames; slope = across / ahead."""

    slope: np.ndarray  # (E, 2) the least and the largest
    sine: np.ndarray  # (E, 2) of the angle between ray and baseline
    framed: np.ndarray  # (E, 2) bool
    in_front: np.ndarray  # (E,) bool, all rays lie on the object's side of the baseline


def extremes(rays: np.ndarray, on_frame: np.ndarray, view: np.ndarray, frame: np.ndarray) -> Extremes:
    """Return the least and the largest slope at which views (E,) see their silhouettes, whose rays (V, M, 3)
    and `on_frame` (V, M) are, in frames (E, 3, 2) of a direction ahead and one across.
    """
    across = rays[view] @ frame  # (E, M, 2): a half plane about the baseline is a direction here
    in_front = across[..., 0].min(1) > 1e-9
    slope = across[..., 1] / np.maximum(across[..., 0], 1e-9)
    at = np.stack([slope.argmin(1), slope.argmax(1)], 1)
    pair = np.arange(len(view))[:, None]
    touching = across[pair, at]
    return Extremes(slope[pair, at], np.linalg.norm(touching, axis=-1), on_frame[view[:, None], at], in_front)
