"""The demo's object, a coffee pot, as a signed distance function.

Object frame = world: +z is the axis of the turntable, lengths in scene units (the pot is two units high). A
handle, a spout and a rosette make it different from every side; the hole of the handle and the necks of lid
and knob are the concave details.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

# Radius of the body over its height: foot, belly, waist, neck, flange of the lid.
_PROFILE_Z = np.array([-1.00, -0.93, -0.84, -0.62, -0.36, -0.08, 0.18, 0.38, 0.52, 0.60, 0.66])
_PROFILE_R = np.array([0.50, 0.52, 0.515, 0.60, 0.655, 0.60, 0.44, 0.345, 0.34, 0.375, 0.38])
_PROFILE_SAMPLES = 1024
_BLOCK = 8192  # points


@dataclass(frozen=True, slots=True)
class Shape:
    """A solid given by a function that is negative inside, zero on the surface and positive outside."""

    distance: Callable[[np.ndarray], np.ndarray]
    """Bound on the distance of points (N, 3) to the surface, (N,)."""
    low: tuple[float, float, float]
    """Corner of a box around the solid, smallest coordinates."""
    high: tuple[float, float, float]
    """Corner of a box around the solid, largest coordinates."""
    safe_step: float
    """Share of `distance` that a ray may advance without passing through the surface."""


def coffee_pot() -> Shape:
    """Return the pot: a turned body with lid and knob, a handle at -x, a spout at +x, a rosette in front."""
    return Shape(_pot_distance, low=(-1.10, -0.74, -1.0), high=(1.16, 0.74, 1.0), safe_step=0.9)


def normals(shape: Shape, points: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """Return outward unit normals (N, 3) at surface points (N, 3).

    Differences along the corners of a tetrahedron need four evaluations instead of six.
    """
    corners = np.array([(1.0, -1.0, -1.0), (-1.0, -1.0, 1.0), (-1.0, 1.0, -1.0), (1.0, 1.0, 1.0)])
    gradient = np.zeros_like(points)
    for corner in corners:
        gradient += corner * shape.distance(points + step * corner)[:, None]
    return gradient / np.linalg.norm(gradient, axis=1, keepdims=True)


def surface_points(shape: Shape, spacing: float = 0.04) -> np.ndarray:
    """Return points (N, 3) all over the surface, about as far apart as `spacing`."""
    sides = [np.arange(low, high + spacing, spacing) for low, high in zip(shape.low, shape.high)]
    points = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 3)
    points = points[np.abs(shape.distance(points)) < spacing]
    for _ in range(3):
        points = points - shape.distance(points)[:, None] * normals(shape, points)
    return points[np.abs(shape.distance(points)) < 1e-3]


def _pot_distance(points: np.ndarray) -> np.ndarray:
    # The dozens of passes over each array run a third faster while it stays in the processor's cache.
    result = np.empty(len(points))
    for start in range(0, len(points), _BLOCK):
        block = slice(start, start + _BLOCK)
        result[block] = _pot_distance_of_block(points[block])
    return result


def _pot_distance_of_block(points: np.ndarray) -> np.ndarray:
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    rho = np.hypot(x, y)
    solid = _smooth_union(_body(x, y, z, rho), _lid(z, rho), 0.02)
    solid = _smooth_union(solid, _handle(x, y, z), 0.06)
    solid = _smooth_union(solid, _spout(x, y, z), 0.07)
    return _smooth_union(solid, _rosette(x, y, z), 0.03)


def _body(x: np.ndarray, y: np.ndarray, z: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Return the distance to the turned body, which a slow three-fold twist keeps from being a perfect solid
    of revolution.
    """
    at = np.clip((z - _PROFILE_Z[0]) * _TABLE_SCALE, 0, _PROFILE_SAMPLES - 1.001)
    low = at.astype(np.intp)
    share = at - low
    radius = _TABLE_R[low] + share * (_TABLE_R[low + 1] - _TABLE_R[low])
    cosine = _TABLE_COSINE[low] + share * (_TABLE_COSINE[low + 1] - _TABLE_COSINE[low])
    # cos(3 a) of the azimuth a without arctan2, which would cost more than all the rest.
    c = x / np.maximum(rho, 1e-9)
    lobes = 0.02 * (4 * c * c * c - 3 * c) * (1 - z * z)
    side = (rho - radius - lobes) * cosine
    return _smooth_intersection(side, np.maximum(z - _PROFILE_Z[-1], _PROFILE_Z[0] - z), 0.03)


def _lid(z: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Return the distance to a dome with a round knob on a thin neck."""
    dome = np.maximum(np.hypot(rho, z - 0.42) - 0.40, 0.6 - z)
    neck = np.maximum(rho - 0.055, np.abs(z - 0.8) - 0.1)
    knob = np.hypot(rho, z - 0.885) - 0.115
    return _smooth_union(dome, _smooth_union(neck, knob, 0.03), 0.04)


def _handle(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the distance to an ear, higher than wide: a torus whose inner half is buried in the body."""
    u, w = x + 0.57, (z + 0.03) * 0.84
    ring = np.hypot(u, w) - 0.39
    return np.hypot(ring, y) - 0.085


def _spout(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the distance to a bent cone: two capsules that grow thinner towards the lip."""
    lower = _capsule(x, y, z, (0.42, 0.0, -0.38), (0.84, 0.0, 0.02), (0.20, 0.115))
    upper = _capsule(x, y, z, (0.84, 0.0, 0.02), (1.05, 0.03, 0.50), (0.115, 0.075))
    return _smooth_union(lower, upper, 0.05)


def _rosette(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the distance to a half-buried ball on the belly."""
    return np.sqrt((x - 0.16) ** 2 + (y + 0.60) ** 2 + (z + 0.30) ** 2) - 0.135


def _capsule(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    radii: tuple[float, float],
) -> np.ndarray:
    along = np.subtract(end, start)
    px, py, pz = x - start[0], y - start[1], z - start[2]
    share = np.clip((px * along[0] + py * along[1] + pz * along[2]) / (along @ along), 0, 1)
    gap = np.sqrt((px - share * along[0]) ** 2 + (py - share * along[1]) ** 2 + (pz - share * along[2]) ** 2)
    return gap - (radii[0] + share * (radii[1] - radii[0]))


def _smooth_union(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    blend = np.maximum(width - np.abs(a - b), 0)
    return np.minimum(a, b) - blend * blend / (4 * width)


def _smooth_intersection(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    return -_smooth_union(-a, -b, width)


def _profile_table() -> tuple[np.ndarray, np.ndarray]:
    """Return radius and slope factor of the body, densely sampled from a monotone cubic through the
    profile.
    """
    z = np.linspace(_PROFILE_Z[0], _PROFILE_Z[-1], _PROFILE_SAMPLES)
    profile = PchipInterpolator(_PROFILE_Z, _PROFILE_R)
    # A slanted wall is nearer than its horizontal gap: the cosine of the slant turns the gap into a distance.
    return profile(z), 1 / np.hypot(1, profile(z, 1))


_TABLE_R, _TABLE_COSINE = _profile_table()
_TABLE_SCALE = (_PROFILE_SAMPLES - 1) / (_PROFILE_Z[-1] - _PROFILE_Z[0])
