"""The object's own frame: z up, the base at z = 0, x towards the first camera
(docs/turntables.md, "The object's frame").

A scene's world is an accident of its solve. What tells up is, in this order: the axis about which the object
turned, the plane of the cameras, the way in which the cameras were held.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from align.objects.base import base_of_silhouettes
from align.points import DEFAULT_MIN_CONF, point_cloud
from align.scene import Scene
from masks.notice import Notice, info, warning
from pairs.rings.ring import Grade, fit_circular_motion
from pairs.rings.turned_over import standing
from pairs.rings.upright import level_direction, looked_at, upper_end_of, upright_axis
from pairs.views.cameras import some_cameras

Up = Literal["auto", "+", "-"]
"""Which end of the axis is up: as the cameras tell, or the one or the other end where they cannot."""

_BASE_PERCENT = 1.0
"""Share of the points below the base where silhouettes do not tell it: the lowest points of all are
outliers."""


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
    motion = fit_circular_motion(scene.cameras.cam_from_world)
    axis, through, told = upright_axis(scene.cameras, middle, motion)
    every = len(scene.views)
    views = np.arange(every) if motion.grade is Grade.NONE else standing(motion, every)
    if len(views) < every:
        told = f"{told}, as the object stood in {scene.views[views[0]].name}"
    cameras = some_cameras(scene.cameras, views)
    # Silhouettes of an object upside down end where its top is.
    shown = replace(scene, views=tuple(scene.views[k] for k in views), cameras=cameras)
    end, sure = upper_end_of(cameras, axis, middle)
    axis = axis * (end if up == "auto" else 1.0 if up == "+" else -1.0)
    origin = through + _base(shown, points, axis, through) * axis
    x = level_direction(cameras.centres[0] - origin, axis)
    frame = np.eye(4)
    frame[:3, :3] = np.stack([x, np.cross(axis, x), axis])
    frame[:3, 3] = -frame[:3, :3] @ origin
    if sure or up != "auto":
        return ObjectFrame(frame, info("up", f"{told}."), views)
    text = f"{told}, and the cameras do not tell its upper end. Turn it over with `up=-` if it hangs."
    return ObjectFrame(frame, warning("up", text), views)


def upper_end(scene: Scene, axis: np.ndarray, views: np.ndarray) -> float:
    """Return 1 where an axis (3,) of the world points up in views (n,), and -1 where it points down."""
    middle = np.median(_object_points(scene), axis=0)
    return upper_end_of(some_cameras(scene.cameras, views), axis, middle)[0]


def _object_points(scene: Scene) -> np.ndarray:
    """Return the surest points (N, 3) there are; where there are none, what the cameras look at."""
    for least in (DEFAULT_MIN_CONF, 0.0):
        points = point_cloud(scene, least).points
        if len(points):
            return points.astype(np.float64)
    return looked_at(scene.cameras)[None]


def _base(scene: Scene, points: np.ndarray, axis: np.ndarray, through: np.ndarray) -> float:
    """Return the height of the base along an axis (3,) above a point (3,) of it."""
    of_points = float(np.percentile((points - through) @ axis, _BASE_PERCENT))
    seen = base_of_silhouettes(scene, axis, through)
    # Where silhouettes end above points a belly hides the foot.
    return of_points if seen is None else min(of_points, seen)
