"""Which way is up, from cameras alone (docs/turntables.md, "The object's frame")."""

from __future__ import annotations

import numpy as np

from pairs.rings.ring import CircularMotion, Grade, fit_circular_motion
from pairs.views.cameras import Cameras, nearest_to_lines

_FLAT = 0.05
"""Cameras lie on a plane when their spread across it is this share of their largest."""
_ACROSS = 0.5
"""An axis with a smaller share along the pictures' columns lies across them: whoever held the camera so did
not show which way is up."""
_LEVEL_RAD = np.deg2rad(5.0)
"""Cameras that stand less high above the object's middle do not tell the table from the ceiling."""


def up_of_cameras(cameras: Cameras, middle: np.ndarray | None = None) -> np.ndarray:
    """Return the unit direction (3,) that is up, as far as cameras tell. `middle` (3,): the object's; none:
    what the cameras look at.
    """
    middle = looked_at(cameras) if middle is None else middle
    axis = upright_axis(cameras, middle, fit_circular_motion(cameras.cam_from_world))[0]
    return upper_end_of(cameras, axis, middle)[0] * axis


def looked_at(cameras: Cameras) -> np.ndarray:
    """Return the point (3,) nearest to all optical axes."""
    return nearest_to_lines(cameras.centres, cameras.cam_from_world[:, 2, :3])


def level_direction(direction: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Return the unit vector (3,) across an axis (3,) that is nearest to a direction (3,)."""
    level = direction - (direction @ axis) * axis
    if np.linalg.norm(level) < 1e-9 * max(float(np.linalg.norm(direction)), 1e-300):
        # A camera that looks down the axis; the world's axis that is least along it is level enough.
        level = np.eye(3)[np.abs(axis).argmin()]
        level = level - (level @ axis) * axis
    return level / np.linalg.norm(level)


def upright_axis(
    cameras: Cameras, middle: np.ndarray, motion: CircularMotion
) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the axis (3,) that stands upright, a point (3,) that it goes through, and what told it.
    `motion` is that of the cameras.
    """
    if motion.grade is not Grade.NONE:
        return *_turned_about(motion), "up is the axis about which the object, or the camera, turned"
    mean_up = -cameras.cam_from_world[:, 1, :3].mean(axis=0)
    length = float(np.linalg.norm(mean_up))
    centres = cameras.centres - cameras.centres.mean(axis=0)
    if len(centres) > 2:
        _, spread, directions = np.linalg.svd(centres, full_matrices=False)
        flat = spread[2] <= _FLAT * spread[0] and spread[1] > 2 * spread[2]
        # Cameras above one another stand on a plane that is upright itself.
        if flat and abs(directions[2] @ mean_up) >= _ACROSS * length:
            return directions[2], middle, "up is the normal of the plane on which the cameras stand"
    # Cameras that were held every way have no mean: any direction is as good.
    up = mean_up / length if length > 1e-6 else np.array([0.0, 0.0, 1.0])
    return up, middle, "up is the mean of the ways in which the cameras were held"


def axis_across_rows(cam_from_world: np.ndarray) -> np.ndarray:
    """Return the direction (3,) across which the rows of the pictures of cameras (n, 4, 4) lie: that about
    which cameras that were held upright turn.
    """
    return np.linalg.svd(cam_from_world[:, 0, :3])[2][2]


def _turned_about(motion: CircularMotion) -> tuple[np.ndarray, np.ndarray]:
    axis_from_world = motion.rings[0].axis_from_world
    R = axis_from_world[:3, :3]
    return R[2], -R.T @ axis_from_world[:3, 3]


def upper_end_of(cameras: Cameras, axis: np.ndarray, middle: np.ndarray) -> tuple[float, bool]:
    """Return 1 where the axis points up and -1 where it points down, and whether anything told."""
    shown_up = -cameras.cam_from_world[:, 1, :3] @ axis  # share of the axis along each picture's columns
    if np.abs(np.median(shown_up)) >= _ACROSS:
        return float(np.sign(np.median(shown_up))), True
    seen_from = cameras.centres - middle
    rise = seen_from @ axis / np.maximum(np.linalg.norm(seen_from, axis=1), 1e-300)
    # Objects stand on something, so cameras are above.
    tilt = float(np.arcsin(np.clip(np.median(rise), -1, 1)))
    return (1.0 if tilt >= 0 else -1.0), bool(abs(tilt) >= _LEVEL_RAD)
