"""Masks of objects made of ellipsoids: the silhouette of each is a conic, exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from turning_cameras import on_a_ring

from pairs.rings.outline import Outline, outline_of
from pairs.views.cameras import Cameras

Ellipsoid = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Centre, and half axes along x, y, z."""

BODY: tuple[Ellipsoid, ...] = (
    ((0.0, 0.0, 0.0), (0.45, 0.35, 0.55)),
    ((0.45, 0.1, 0.55), (0.25, 0.15, 0.2)),
    ((-0.2, 0.25, -0.45), (0.25, 0.3, 0.3)),
    ((-0.25, -0.35, 0.4), (0.2, 0.15, 0.35)),
)
"""An object whose sides all differ above and below, where the tangent planes of a ring touch."""
JUG: tuple[Ellipsoid, ...] = (((0.0, 0.0, 0.0), (0.6, 0.6, 0.8)), ((0.1, 0.0, 0.7), (0.7, 0.12, 0.15)))
"""A body of revolution with a handle."""
CROSS: tuple[Ellipsoid, ...] = (
    ((0.0, 0.0, 0.1), (0.3, 0.3, 0.9)),
    ((0.0, 0.0, -0.4), (0.9, 0.2, 0.2)),
    ((0.0, 0.0, -0.4), (0.2, 0.9, 0.2)),
)
"""Four sides alike."""
EGG: tuple[Ellipsoid, ...] = (((0.0, 0.0, 0.0), (0.6, 0.6, 0.9)),)
"""A body of revolution."""
SIZE = (400, 300)


def pinholes(cam_from_world: np.ndarray, focal: float = 560.0, size: tuple[int, int] = SIZE) -> Cameras:
    """Return cameras with one focal and the principal point in the middle."""
    K = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]])
    return Cameras(np.tile(K, (len(cam_from_world), 1, 1)), cam_from_world)


def turntable(num_views: int, step_deg: float, tilt_deg: float = 20.0, **options: float) -> Cameras:
    """Return cameras in equal steps about the z axis, 4 away from the origin that they look at."""
    return pinholes(around_origin(step_deg * np.arange(num_views), tilt_deg), **options)


def around_origin(azimuth_deg: np.ndarray, tilt_deg: float = 20.0, roll_deg: float = 0.0) -> np.ndarray:
    """Return poses (n, 4, 4) that look at the origin from 4 away and `tilt` above."""
    tilt, lowered = np.deg2rad(tilt_deg), np.eye(4)
    lowered[2, 3] = -4 * np.sin(tilt)
    return on_a_ring(azimuth_deg, tilt_deg, roll_deg, radius=4 * np.cos(tilt)) @ lowered


def masks_of(cameras: Cameras, solid: Sequence[Ellipsoid], size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """Return which pixel centres (H, W) bool of every view see the object."""
    x, y = np.meshgrid(np.arange(size[0], dtype=float), np.arange(size[1], dtype=float))
    pixels = np.stack([x, y, np.ones_like(x)], -1)
    projections = cameras.K @ cameras.cam_from_world[:, :3]
    masks = []
    for P in projections:
        seen = np.zeros(size[::-1], bool)
        for centre, half in solid:
            # The dual conic of the silhouette is the projection of the dual quadric.
            middle = np.append(np.array(centre), 1.0)
            dual = np.diag([*np.square(half), 0.0]) - np.outer(middle, middle)
            conic = np.linalg.inv(P @ dual @ P.T)
            seen |= np.einsum("hwi,ij,hwj->hw", pixels, conic, pixels) < 0
        masks.append(seen)
    return masks


def outlines_of(cameras: Cameras, solid: Sequence[Ellipsoid], size: tuple[int, int] = SIZE) -> list[Outline]:
    """Return the outlines of all views."""
    found = [outline_of(mask) for mask in masks_of(cameras, solid, size)]
    return [outline for outline in found if outline is not None]
