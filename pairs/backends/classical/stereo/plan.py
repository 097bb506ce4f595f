"""Which views a view is compared with, and over which depths, by the scene points that it sees
(docs/classical_backend.md, "Neighbours and depth range").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pairs.backends.classical.keys import stage_key
from pairs.backends.classical.options import DepthOptions
from pairs.backends.classical.sfm.solve import SceneSolve, shared_points
from pairs.backends.classical.stereo.warp import Warp, warp_between
from pairs.views.cameras import Cameras, nearest_to_lines
from pairs.views.view import View

MAX_NEIGHBOURS = 4
"""Two neighbours leave a third more error, six gain 4 % for 1.4 times the time."""
# Fewer give no median angle that one could believe.
_MIN_COMMON = 8
_ANGLES_DEG = (2.0, 40.0)
"""Median angle between the rays of two neighbours: below, depth is undetermined; above, surfaces look too
different."""
# Below, the error of a depth grows with 1 / angle; above, windows see other surface, which hurts more slowly:
# hence 4 and 10 degrees in the score.
_BEST_ANGLE_DEG = 10.0
_LEAST_SCORE = 1e-3
# A few scene points are wrong by much; the widening gives back what the percentiles cut off.
_PERCENTILES = (2, 98)
_WIDENING = 0.25


RAW_KIND = "photometric_depth"
"""Name of the raw depths' folder in the store."""


def choose_neighbours(solve: SceneSolve) -> tuple[tuple[int, ...], ...]:
    """Return for every placed view the positions in `placed` of at most four others, best first; ties go to
    the earlier view.
    """
    seen = [np.unique(solve.observed_point[solve.observed_by == v]) for v in range(len(solve.placed))]
    scores = np.zeros((len(seen), len(seen)))
    # Most pairs of many views share nothing, and the counts of all come from one sparse product.
    for a, b in np.argwhere(np.triu(shared_points(solve)) >= _MIN_COMMON):
        common = np.intersect1d(seen[a], seen[b], assume_unique=True)
        scores[a, b] = scores[b, a] = _score(solve, common, int(a), int(b))
    if solve.by_outline:
        _score_by_place(solve, scores)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :MAX_NEIGHBOURS]
    return tuple(tuple(int(b) for b in row if scores[a, b] > 0) for a, row in enumerate(order))


def _score_by_place(solve: SceneSolve, scores: np.ndarray) -> None:
    """Give neighbours on a turntable's circle to views that share points with nobody."""
    lonely = np.flatnonzero((scores > 0).sum(1) < MAX_NEIGHBOURS)
    angles = _angles_between(solve.cameras)
    usable = (angles >= _ANGLES_DEG[0]) & (angles <= _ANGLES_DEG[1])
    # Less than any score by points: these say what a view sees, angles only where it stands.
    by_place = np.where(usable, _LEAST_SCORE / (1 + np.abs(angles - _BEST_ANGLE_DEG)), 0.0)
    scores[lonely] = np.where(scores[lonely] > 0, scores[lonely], by_place[lonely])


def _angles_between(cameras: Cameras) -> np.ndarray:
    """Return the angles (P, P) in degrees between the directions from which cameras look at what they have in
    common.
    """
    middle = nearest_to_lines(cameras.centres, cameras.cam_from_world[:, 2, :3], rcond=1e-3)
    rays = cameras.centres - middle
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    return np.degrees(np.arccos(np.clip(rays @ rays.T, -1, 1)))


FEW_POINTS = 50
"""With fewer scene points than these a view's depths are not known to lie between them."""


def scene_inverse_depths(solve: SceneSolve, v: int) -> np.ndarray:
    """Return the inverse depths (N,) of the scene points that placed view `v` sees, as far as they lie in
    front of it.
    """
    points = solve.points[np.unique(solve.observed_point[solve.observed_by == v])]
    depth = points @ solve.cameras.cam_from_world[v, 2, :3] + solve.cameras.cam_from_world[v, 2, 3]
    return 1 / depth[depth > 0]


def inverse_depth_range(inverse_depths: np.ndarray) -> tuple[float, float]:
    """Return (far, near) inverse depths that a sweep covers: the 2nd to 98th percentile, widened by a quarter
    at both ends.
    """
    far, near = np.percentile(inverse_depths, _PERCENTILES)
    # A plane that faces the camera has no width of its own: a fiftieth of its inverse depth stands in for it.
    margin = _WIDENING * max(near - far, far / 50)
    # Never as far as infinity, where all pictures show the same.
    return float(max(far - margin, far / 4)), float(near + margin)


def _score(solve: SceneSolve, common: np.ndarray, a: int, b: int) -> float:
    """Sum the worth of the common points; 0 when the two views are no neighbours."""
    angles = _angles_deg(solve.points[common], solve.cameras.centres[[a, b]])
    if not _ANGLES_DEG[0] <= np.median(angles) <= _ANGLES_DEG[1]:
        return 0.0
    spread = np.where(angles < _BEST_ANGLE_DEG, 4.0, 10.0)
    # Summed, not averaged: many common points at a fair angle are worth more than a few at the best one.
    return float(np.exp(-((angles - _BEST_ANGLE_DEG) ** 2) / (2 * spread**2)).sum())


def _angles_deg(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the angles (N,) at which `points` (N, 3) see two centres (2, 3)."""
    rays = centres[:, None] - points  # (2, N, 3)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return np.degrees(np.arccos(np.clip((rays[0] * rays[1]).sum(-1), -1, 1)))


@dataclass(frozen=True, slots=True)
class DepthPlan:
    """How one view is measured. Numbers of views are positions among the placed ones."""

    neighbours: tuple[int, ...]
    """One to four, best first."""
    there: tuple[Warp, ...]
    """From the view to each neighbour."""
    back: tuple[Warp, ...]
    """From each neighbour to the view."""
    inverse_range: tuple[float, float]
    """(far, near) inverse depth."""
    key: str
    """Digest of everything that can change the view's photometric depth: its key in the store."""


def depth_plans(
    views: Sequence[View],
    solve: SceneSolve,
    cameras: Cameras,
    options: DepthOptions,
    hull_depths: Mapping[int, np.ndarray],
) -> dict[int, DepthPlan]:
    """Return the plan of every placed view that has neighbours and scene points; `cameras` have K on the
    views' grids. Where a view has few points, the depths (H, W) of the visual hull are its range.
    """
    chosen = {v: neighbours for v, neighbours in enumerate(choose_neighbours(solve)) if neighbours}
    inverse_depths = {v: scene_inverse_depths(solve, v) for v in chosen}
    for v in set(chosen) & set(hull_depths):
        if len(inverse_depths[v]) < FEW_POINTS:
            inverse_depths[v] = 1 / hull_depths[v][hull_depths[v] > 0]
    return {
        v: _plan(views, cameras, v, chosen[v], inverse_depth_range(q), options)
        for v, q in inverse_depths.items()
        if len(q)
    }


def _plan(
    views: Sequence[View],
    cameras: Cameras,
    v: int,
    neighbours: tuple[int, ...],
    inverse_range: tuple[float, float],
    options: DepthOptions,
) -> DepthPlan:
    there = tuple(warp_between(cameras, n, v) for n in neighbours)
    back = tuple(warp_between(cameras, v, n) for n in neighbours)
    names = [views[i].grid_key for i in (v, *neighbours)]
    moves = [array for move in (*there, *back) for array in (move.homography, move.epipole)]
    key = stage_key(RAW_KIND, options.min_planes, options.max_planes, names, inverse_range, *moves)
    return DepthPlan(neighbours, there, back, inverse_range, key)
