"""How high an object's base lies, from the planes that touch its silhouettes from below
(docs/turntables.md, "The object's frame").

No photo shows the underside, and few points lie low on the foot: of a pot seen from 22 degrees above, one per
cent of the points end 2.7 % of its height above the table. Silhouettes end there. A level line through one
camera and the lowest point of its silhouette span a plane that touches the foot; so does, more steeply, the
plane through the centres of two cameras to its left and right. Both touch it at the same place, nearly, and
meet there: no depth is needed, nor the place along an outline, which is flat at its lowest point. The visual
hull does not end there: beneath the foot all cones go on to a point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from align.objects.outlined import outlined
from align.scene import Scene
from pairs.rings.ring import wrapped
from pairs.rings.tangency import Hulls, all_pairs, extremes, hulls_of, rays_of

_APART_RAD = np.deg2rad((80.0, 125.0))
"""Between both cameras, about the axis. Nearer ones span a plane that is hardly steeper than that of one
camera, and farther ones look past the foot at a belly."""
_FACING_RAD = np.deg2rad(21.0)
"""Both planes face one side of the object: with steps of 40 degrees the nearest view stands 20 away."""
_LEVEL = 0.1
"""Largest slope of a line between two cameras."""
_ALIKE_PX = 2.0
"""By so much two views may disagree about the plane that touches both; right ones do by 0.3 to 1."""
_LEAST_CONTACTS = 6
_LOW_PERCENT = 10.0
"""Of the contacts' heights. An object with paws stands on some of them, and other sides end higher; the
lowest ones of all are noise, or a mask that is wrong."""
_MOST_PAIRS = 4000


@dataclass(frozen=True, slots=True)
class _Planes:
    """Planes with the object above them, by what their upward normals say of a point: height x rise + way out
    from the axis x out = offset.
    """

    azimuth: np.ndarray  # (N,) of the side that the plane touches
    rise: np.ndarray  # (N,)
    out: np.ndarray  # (N,)
    offset: np.ndarray  # (N,)

    def some(self, chosen: np.ndarray) -> _Planes:
        return _Planes(self.azimuth[chosen], self.rise[chosen], self.out[chosen], self.offset[chosen])


def base_of_silhouettes(scene: Scene, axis: np.ndarray, through: np.ndarray) -> float | None:
    """Return the height along a unit axis (3,) above a point (3,) at which the silhouettes end; none where
    too few tell: no masks, the frame cuts the foot, or cameras that stand on one side.
    """
    seen = outlined(scene)
    if len(seen.index) < 3:
        return None
    cameras, hulls = seen.cameras, hulls_of(seen.outlines)
    level = np.linalg.svd(axis[None])[2][1:]
    if np.cross(*level) @ axis < 0:
        level = level[::-1]
    frame = np.stack([*level, axis])  # the axis is z, `through` the origin
    rays = rays_of(cameras.K, cameras.cam_from_world[:, :3, :3], hulls.points) @ frame.T
    centres = (cameras.centres - through) @ frame.T
    focal = np.sqrt(cameras.K[:, 0, 0] * cameras.K[:, 1, 1])
    heights = _contacts(_of_views(rays, centres, hulls), _of_pairs(rays, centres, focal, hulls))
    return float(np.percentile(heights, _LOW_PERCENT)) if len(heights) >= _LEAST_CONTACTS else None


def _of_views(rays: np.ndarray, centres: np.ndarray, hulls: Hulls) -> _Planes:
    """Return the planes through each camera and a level line across its view, where the frame does not cut
    the foot.
    """
    ahead = -_unit(centres * [1, 1, 0])
    up = np.broadcast_to([0.0, 0.0, 1.0], ahead.shape)
    seen = extremes(rays, hulls.on_frame, np.arange(len(rays)), np.stack([ahead, up], -1))
    planes = _planes(centres, ahead, up, seen.slope[:, 0])
    return planes.some(seen.in_front & ~seen.framed[:, 0])


def _of_pairs(rays: np.ndarray, centres: np.ndarray, focal: np.ndarray, hulls: Hulls) -> _Planes:
    """Return the planes through two centres each that both views see touch the object alike."""
    pairs = all_pairs(len(rays))
    azimuth = np.arctan2(centres[:, 1], centres[:, 0])
    apart = np.abs(wrapped(azimuth[pairs[:, 1]] - azimuth[pairs[:, 0]]))
    baseline = _unit(centres[pairs[:, 1]] - centres[pairs[:, 0]])
    apart_enough = (apart > _APART_RAD[0]) & (apart < _APART_RAD[1]) & (np.abs(baseline[:, 2]) < _LEVEL)
    chosen = np.flatnonzero(apart_enough)[:: max(1, -(-int(apart_enough.sum()) // _MOST_PAIRS))]
    pairs, baseline = pairs[chosen], baseline[chosen]
    a, b = pairs.T
    ahead = rays[a].mean(1) + rays[b].mean(1)
    ahead = _unit(ahead - (ahead * baseline).sum(1, keepdims=True) * baseline)
    up = np.cross(baseline, ahead)
    up = np.where(up[:, 2:] < 0, -up, up)
    first, second = (extremes(rays, hulls.on_frame, view, np.stack([ahead, up], -1)) for view in (a, b))
    apart_px = np.abs(first.slope[:, 0] - second.slope[:, 0]) * focal[pairs].min(1)
    good = first.in_front & second.in_front & ~first.framed[:, 0] & ~second.framed[:, 0]
    planes = _planes(centres[a], ahead, up, (first.slope[:, 0] + second.slope[:, 0]) / 2)
    return planes.some(good & (apart_px < _ALIKE_PX * hulls.scale))


def _planes(centres: np.ndarray, ahead: np.ndarray, up: np.ndarray, slope: np.ndarray) -> _Planes:
    """Return the planes through centres (N, 3) that rise by slopes (N,) along directions (N, 3)."""
    normal = _unit(up - slope[:, None] * ahead)
    out = -_unit(ahead * [1, 1, 0])
    return _Planes(
        np.arctan2(out[:, 1], out[:, 0]), normal[:, 2], (normal * out).sum(1), (normal * centres).sum(1)
    )


def _contacts(views: _Planes, pairs: _Planes) -> np.ndarray:
    """Return the heights (N,) at which each pair's plane meets that of the view that faces the same side."""
    if len(views.rise) == 0 or len(pairs.rise) == 0:
        return np.zeros(0)
    turned = np.abs(wrapped(views.azimuth[None] - pairs.azimuth[:, None]))
    nearest = turned.argmin(1)
    facing = turned.min(1) < _FACING_RAD
    gentle, steep = views.some(nearest[facing]), pairs.some(facing)
    determinant = gentle.rise * steep.out - gentle.out * steep.rise
    met = np.abs(determinant) > 0.05  # of planes that slope alike the place where they meet is noise
    height = gentle.offset * steep.out - gentle.out * steep.offset
    return height[met] / determinant[met]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)
