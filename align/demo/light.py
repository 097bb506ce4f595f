"""Light on the demo's object and on what it stands on: one lamp fixed in the room, a bright sky, some light
from below.
"""

from __future__ import annotations

import numpy as np

from align.demo.shape import Shape

LAMP_DIRECTION = np.array([-0.46, -0.62, 0.64]) / np.linalg.norm([-0.46, -0.62, 0.64])
"""Towards the lamp, room frame."""

_LAMP, _SKY, _FLOOR = 0.95, 0.42, 0.26
_GLOSS, _GLOSS_EXPONENT = 0.10, 40.0
_SHADOW_STEPS = 14
_SHADOW_HARDNESS = 9.0


def diffuse_light(
    shape: Shape, points: np.ndarray, outward: np.ndarray, lamp: np.ndarray, plate: np.ndarray
) -> np.ndarray:
    """Return how much light falls on surface points (N, 3) with normals (N, 3), about 0 to 1.4; all in the
    object's frame, where `plate` (4,) holds the way up and how high the origin lies above the plate.
    """
    facing = np.clip(outward @ lamp, 0, None)
    lit = np.flatnonzero(facing > 0)
    facing[lit] *= unshadowed(shape, points[lit] + 0.01 * outward[lit], lamp)
    ambient = _FLOOR + (_SKY - _FLOOR) * (0.5 + 0.5 * outward @ plate[:3])
    return _LAMP * facing + ambient * _openness(shape, points, outward, plate)


def gloss(outward: np.ndarray, towards_eye: np.ndarray, lamp: np.ndarray) -> np.ndarray:
    """Return the faint highlight (N,) of the glaze; unit vectors (N, 3)."""
    half = towards_eye + lamp
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    return _GLOSS * np.clip((half * outward).sum(axis=1), 0, 1) ** _GLOSS_EXPONENT


def ground_light(shape: Shape, points: np.ndarray, lamp: np.ndarray) -> np.ndarray:
    """Return the share (N,) of light that the object leaves to ground points (N, 3), both in the object's
    frame.
    """
    lamp_share = _LAMP / (_LAMP + _SKY)
    contact = np.clip(0.25 + shape.distance(points) / 0.5, 0, 1)
    return lamp_share * unshadowed(shape, points, lamp) + (1 - lamp_share) * contact


def unshadowed(shape: Shape, points: np.ndarray, lamp: np.ndarray) -> np.ndarray:
    """Return the share (N,) of the lamp that points (N, 3) see past the object: 0 in its shadow, 1 outside,
    smooth between.

    The ratio of clearance to way along the ray towards the lamp estimates how much of an extended lamp is
    hidden.
    """
    share = np.ones(len(points))
    way = np.full(len(points), 0.02)
    for _ in range(_SHADOW_STEPS):
        clearance = shape.distance(points + way[:, None] * lamp)
        share = np.minimum(share, _SHADOW_HARDNESS * clearance / way)
        way += np.clip(clearance, 0.02, 0.3)
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)


def _openness(shape: Shape, points: np.ndarray, outward: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """Return how open the surroundings are, 0.2 to 1: a point in a corner has surface nearer than the step
    away from its own.
    """
    open_share = np.ones(len(points))
    for step, weight in ((0.05, 2.0), (0.16, 1.2)):
        above = points + step * outward
        gap = np.minimum(shape.distance(above), above @ plate[:3] + plate[3])
        open_share -= weight * np.clip(step - gap, 0, None) / (2 * step) * 0.6
    return np.clip(open_share, 0.2, 1)
