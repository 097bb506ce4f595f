"""The object's own frame: z up, the base at z = 0, x towards the first camera
(docs/turntables.md, "The object's frame").

A scene's world is an accident of its solve. What tells up is, in this order: the axis about which the object
turned, the plane of the cameras, the way in which the cameras were held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from align.points import DEFAULT_MIN_CONF, point_cloud
from align.scene import Scene
from masks.notice import Notice, info, warning
from pairs.rings.ring import CircularMotion, Grade, fit_circular_motion
from pairs.rings.turned_over import standing
from pairs.views.cameras import Cameras, nearest_to_lines

Up = Literal["auto", "+", "-"]
"""Which end of the axis is up: as the cameras tell, or the one or the other end where they cannot."""

_FLAT = 0.05
"""Cameras lie on a plane when their spread across it is this share of their largest."""
_ACROSS = 0.5
"""An axis with a smaller share along the pictures' columns lies across them: whoever held the camera so did
not
show which way is up."""
_LEVEL_RAD = np.deg2rad(5.0)
"""Cameras that stand less high above the object's middle do not tell the table from the ceiling."""
_BASE_PERCENT = 1.0
"""Share of the points below the base: the lowest points of all are outliers."""


@dataclass(frozen=True, slots=True)
class ObjectFrame:
    """Where the object stands."""

    object_from_world: np.ndarray  # (4, 4) rigid
    notice: Notice
    """What told up, and how surely."""
    standing: np.ndarray  # (n,) int, views in which the object stood so, not turned over


def object_frame(scene: Scene, up: Up = "auto") -> ObjectFrame:
    """Return the frame of a scene's object, in the scene's unit.

    "+" and "-" choose the end of the axis themselves; "+" is the end that "auto" prefers when it cannot tell.
    """
    points = _object_points(scene)
    middle = np.median(points, axis=0)
    axis, through, told, views = _axis(scene, middle)
    standing_cameras = _some(scene.cameras, views)
    end, sure = _end(standing_cameras, axis, middle)
    axis = axis * (end if up == "auto" else 1.0 if up == "+" else -1.0)
    height = (points - through) @ axis
    origin = through + np.percentile(height, _BASE_PERCENT) * axis
    x = _level(standing_cameras.centres[0] - origin, axis)
    frame = np.eye(4)
    frame[:3, :3] = np.stack([x, np.cross(axis, x), axis])
    frame[:3, 3] = -frame[:3, :3] @ origin
    if sure or up != "auto":
        return ObjectFrame(frame, info("up", f"{told}."), views)
    text = f"{told}, and the cameras do not tell its upper end. Turn it over with `up=-` if it hangs."
    return ObjectFrame(frame, warning("up", text), views)


def upper_end(scene: Scene, axis: np.ndarray, views: np.ndarray) -> float:
    """Return 1 where an axis (3,) of the world points up in views (n,), and -1 where it points down."""
    return _end(_some(scene.cameras, views), axis, np.median(_object_points(scene), axis=0))[0]


def _some(cameras: Cameras, views: np.ndarray) -> Cameras:
    return Cameras(cameras.K[views], cameras.cam_from_world[views])


def _object_points(scene: Scene) -> np.ndarray:
    """Return the surest points (N, 3) there are; where there are none, what the cameras look at."""
    for least in (DEFAULT_MIN_CONF, 0.0):
        points = point_cloud(scene, least).points
        if len(points):
            return points.astype(np.float64)
    return looked_at(scene.cameras)[None]


def looked_at(cameras: Cameras) -> np.ndarray:
    """Return the point (3,) nearest to all optical axes."""
    return nearest_to_lines(cameras.centres, cameras.cam_from_world[:, 2, :3])


def _axis(scene: Scene, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray, str, np.ndarray]:
    """Return the axis (3,) that stands upright, a point (3,) that it goes through, what told it, and the
    views in which it did.
    """
    cameras = scene.cameras
    every = np.arange(len(scene.views))
    motion = fit_circular_motion(cameras.cam_from_world)
    if motion.grade is not Grade.NONE:
        told, views = (
            "up is the axis about which the object, or the camera, turned",
            standing(motion, len(every)),
        )
        if len(views) < len(every):
            told = f"{told}, as the object stood in {scene.views[views[0]].name}"
        return *_turned_about(motion), told, views
    centres = cameras.centres - cameras.centres.mean(axis=0)
    if len(centres) > 2:
        _, spread, directions = np.linalg.svd(centres, full_matrices=False)
        if spread[2] <= _FLAT * spread[0] and spread[1] > 2 * spread[2]:
            told = "up is the normal of the plane on which the cameras stand"
            return directions[2], middle, told, every
    mean_up = -cameras.cam_from_world[:, 1, :3].mean(axis=0)
    length = float(np.linalg.norm(mean_up))
    # Cameras that were held every way have no mean: any direction is as good.
    up = mean_up / length if length > 1e-6 else np.array([0.0, 0.0, 1.0])
    return up, middle, "up is the mean of the ways in which the cameras were held", every


def _turned_about(motion: CircularMotion) -> tuple[np.ndarray, np.ndarray]:
    axis_from_world = motion.rings[0].axis_from_world
    R = axis_from_world[:3, :3]
    return R[2], -R.T @ axis_from_world[:3, 3]


def _end(cameras: Cameras, axis: np.ndarray, middle: np.ndarray) -> tuple[float, bool]:
    """Return 1 where the axis points up and -1 where it points down, and whether anything told."""
    shown_up = -cameras.cam_from_world[:, 1, :3] @ axis  # share of the axis along each picture's columns
    if np.abs(np.median(shown_up)) >= _ACROSS:
        return float(np.sign(np.median(shown_up))), True
    seen_from = cameras.centres - middle
    rise = seen_from @ axis / np.maximum(np.linalg.norm(seen_from, axis=1), 1e-300)
    # Objects stand on something, so cameras are above.
    tilt = float(np.arcsin(np.clip(np.median(rise), -1, 1)))
    return (1.0 if tilt >= 0 else -1.0), bool(abs(tilt) >= _LEVEL_RAD)


def _level(direction: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Return the unit vector (3,) across the axis that is nearest to a direction."""
    level = direction - (direction @ axis) * axis
    if np.linalg.norm(level) < 1e-9 * max(float(np.linalg.norm(direction)), 1e-300):
        # The first camera looks down the axis; the world's axis that is least along it is level enough.
        level = np.eye(3)[np.abs(axis).argmin()]
        level = level - (level @ axis) * axis
    return level / np.linalg.norm(level)
