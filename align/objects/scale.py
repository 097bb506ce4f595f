"""How large a scene is in the world outside: from a known length, or from the height of the camera
(docs/turntables.md, "Scale").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from align.objects.frame import ObjectFrame
from align.scene import Scene
from masks.errors import UserError
from masks.pixelmap import to_target
from pairs.backends.classical.stereo.warp import sample_valid

_POINT = r"(.+)@(-?\d+(?:\.\d*)?),(-?\d+(?:\.\d*)?)"
_LENGTH = re.compile(rf"{_POINT}-{_POINT}=(\d+(?:\.\d*)?(?:[eE]-?\d+)?)")
_SEARCHED_PX = 2
"""Grid pixels around a picked one in which the nearest known depth is taken: picks at a rim miss it
by one."""


@dataclass(frozen=True, slots=True)
class PhotoPoint:
    """A point of the object, picked in one photo."""

    photo: str
    """Name of the photo's file."""
    xy: tuple[float, float]
    """Pixel of the upright photo."""


@dataclass(frozen=True, slots=True)
class KnownLength:
    """The distance between two picked points."""

    a: PhotoPoint
    b: PhotoPoint
    length: float
    """In the unit that the scene shall have."""


def parse_length(text: str) -> KnownLength:
    """Return the length that a text such as "01.jpg@120,80-01.jpg@410,95=0.12" states."""
    if not (found := _LENGTH.fullmatch(text)) or not float(found[7]) > 0:
        raise UserError(
            f"`length={text}`: is not PHOTO@X,Y-PHOTO@X,Y=LENGTH, as in 01.jpg@120,80-05.jpg@410,95=0.12: "
            "two "
            "points of the object, each in pixels of a photo, and how far they are apart."
        )
    a, b = (
        PhotoPoint(found[1], (float(found[2]), float(found[3]))),
        PhotoPoint(found[4], (float(found[5]), float(found[6]))),
    )
    return KnownLength(a, b, float(found[7]))


def scale_by_length(scene: Scene, known: KnownLength) -> float:
    """Return the factor that gives the scene the unit of a known length. Raises `UserError` where a point has
    no depth.
    """
    found = float(np.linalg.norm(world_point(scene, known.a) - world_point(scene, known.b)))
    if found == 0:
        raise UserError(f"`length`: both points are one ({known.a.photo}). Pick two.")
    return known.length / found


def scale_by_camera_height(scene: Scene, frame: ObjectFrame, height: float) -> float:
    """Return the factor by which the cameras stand `height` above the object's base, in the median."""
    if not height > 0:
        raise UserError(
            f"`camera_height={height:g}`: is no height. State how far the lens is above the table."
        )
    centres = scene.cameras.centres[frame.standing]
    above = centres @ frame.object_from_world[2, :3] + frame.object_from_world[2, 3]
    median = float(np.median(above))
    spread = float(np.median(np.linalg.norm(centres - centres.mean(0), axis=1)))
    if median <= 0.02 * spread:
        raise UserError(
            "`camera_height`: the cameras stand hardly above the object's base, so their height tells no "
            "scale. "
            "State a `length`."
        )
    return height / median


def world_point(scene: Scene, point: PhotoPoint) -> np.ndarray:
    """Return the world point (3,) that a pixel of a photo shows. Raises `UserError` where no depth
    is known.
    """
    names = [view.name for view in scene.views]
    if point.photo not in names:
        raise UserError(f"`length`: {point.photo} is no photo of this scene, whose first is {names[0]}.")
    k = names.index(point.photo)
    view = scene.views[k]
    at = to_target(view.pixel_map.upright(), np.array(point.xy))
    known = (view.depth > 0) & (view.conf > 0)
    rows, columns = np.nonzero(known)
    far = np.hypot(columns - at[0], rows - at[1]) if len(rows) else np.array([np.inf])
    if not far.min() <= _SEARCHED_PX:
        raise UserError(
            f"`length`: {point.photo} has no depth at {point.xy[0]:g},{point.xy[1]:g}. Pick points well "
            "inside the "
            "object."
        )
    inverse = 1 / np.where(known, view.depth, 1).astype(np.float64)
    # Inverse depth is linear in the pixel on a plane, depth is not.
    (read,), sure = sample_valid([inverse], known, at[:1], at[1:])
    q = float(read[0]) if sure[0] else float(inverse[rows[far.argmin()], columns[far.argmin()]])
    ray = np.linalg.inv(scene.cameras.K[k]) @ [*at, 1.0]
    world_from_cam = scene.cameras.world_from_cam[k]
    return world_from_cam[:3, :3] @ ray / q + world_from_cam[:3, 3]
