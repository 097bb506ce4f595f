"""The plane on which the object stands: a table, a floor, or the wall that carries a relief.

All lengths are in units of the median distance of the cameras from what they look at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from align.scene import Scene, points_of_view
from pairs.rings.upright import looked_at

_STEP, _LEAST_CONF, _REACH, _MOST_POINTS = 4, 3.0, 0.6, 40_000
_DRAWS, _TOLERANCE, _REFITS, _SEED = 2000, 0.006, 3, 0
_LEAST_SHARE = 0.15
_BELOW, _MOST_BELOW = 0.012, 0.02
"""Nothing lies below a table's top: where more than this share does, the plane cuts through things."""
_DRAWS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class LookedAt:
    """Sure points near to what all cameras look at."""

    middle: np.ndarray  # (3,), world
    distance: float
    """Median distance of the cameras from it: the unit of all other lengths."""
    points: np.ndarray  # (N, 3), world


@dataclass(frozen=True, slots=True)
class SupportPlane:
    """A plane with all cameras above it, and next to nothing below."""

    normal: np.ndarray  # (3,) unit, world, towards the cameras
    offset: float
    """normal @ x = offset on it, world units."""
    share: float
    """Of the points that the cameras look at."""

    def height(self, points: np.ndarray) -> np.ndarray:
        """Return how far points (..., 3) lie above it, world units."""
        return points @ self.normal - self.offset


def looked_at_points(scene: Scene) -> LookedAt:
    """Return the sure points of a scene around the place that its cameras look at."""
    middle = looked_at(scene.cameras)
    distance = float(np.median(np.linalg.norm(scene.cameras.centres - middle, axis=1)))
    found = []
    for k, view in enumerate(scene.views):
        sure = view.conf[::_STEP, ::_STEP] > _LEAST_CONF
        points = points_of_view(scene, k)[::_STEP, ::_STEP][sure].astype(np.float64)
        found.append(points[np.linalg.norm(points - middle, axis=1) < _REACH * distance])
    points = np.concatenate(found)
    if len(points) > _MOST_POINTS:
        points = points[np.linspace(0, len(points) - 1, _MOST_POINTS).astype(int)]
    return LookedAt(middle, distance, points)


def axes_miss(scene: Scene) -> float:
    """Return the median distance of the point nearest to all optical axes from these, in its distance from
    the cameras: small where the cameras look at one thing.
    """
    middle, centres = looked_at(scene.cameras), scene.cameras.centres
    towards = middle - centres
    along = np.einsum("vi,vi->v", towards, scene.cameras.cam_from_world[:, 2, :3])
    distance = np.linalg.norm(towards, axis=1)
    across = np.sqrt(np.maximum(distance**2 - along**2, 0))
    return float(np.median(across) / max(float(np.median(distance)), 1e-300))


def support_plane(looked: LookedAt, centres: np.ndarray) -> SupportPlane | None:
    """Return the plane that most points lie on, where it may carry something; none otherwise.

    `centres` (V, 3) are the cameras': all must be above it. Raises nothing: a scene without a table is no
    mistake.
    """
    if len(looked.points) < 3:
        return None
    plane = _most_agreed(looked)
    for _ in range(_REFITS):
        near = np.abs(plane.height(looked.points)) < _TOLERANCE * looked.distance
        if near.sum() < 3:
            return None
        points = looked.points[near]
        mean = points.mean(axis=0)
        normal = np.linalg.svd(points - mean, full_matrices=False)[2][2]
        plane = replace(plane, normal=normal, offset=float(normal @ mean))
    if np.median(plane.height(centres)) < 0:
        plane = replace(plane, normal=-plane.normal, offset=-plane.offset)
    height = plane.height(looked.points) / looked.distance
    plane = replace(plane, share=float((np.abs(height) < _TOLERANCE).mean()))
    carries = plane.share >= _LEAST_SHARE and (height < -_BELOW).mean() < _MOST_BELOW
    return plane if carries and (plane.height(centres) > 0).all() else None


def _most_agreed(looked: LookedAt) -> SupportPlane:
    """Return the plane through three points that most points lie on (M. Fischler and R. Bolles, Random sample
    consensus, CACM 24, 1981).
    """
    random = np.random.default_rng(_SEED)
    points = looked.points
    best, most = SupportPlane(np.array([0.0, 0.0, 1.0]), 0.0, 0.0), -1
    for _ in range(_DRAWS // _DRAWS_AT_ONCE):
        a, b, c = points[random.integers(len(points), size=(3, _DRAWS_AT_ONCE))]
        normals = np.cross(b - a, c - a)
        length = np.linalg.norm(normals, axis=1)
        normals = normals[length > 1e-12] / length[length > 1e-12, None]
        offsets = np.einsum("ni,ni->n", normals, a[length > 1e-12])
        near = np.abs(points @ normals.T - offsets) < _TOLERANCE * looked.distance
        counts = near.sum(axis=0)
        if len(counts) and counts.max() > most:
            k, most = int(counts.argmax()), int(counts.max())
            best = SupportPlane(normals[k], float(offsets[k]), most / len(points))
    return best
