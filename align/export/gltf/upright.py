"""A world whose axes say nothing, upright for viewers."""

from __future__ import annotations

import numpy as np

from pairs.rings.upright import level_direction, up_of_cameras
from pairs.views.cameras import Cameras

Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""(4, 4) to glTF's axes from those of the object's frame, whose z is up."""


def upright_transform(cameras: Cameras, points: np.ndarray) -> np.ndarray:
    """Return the rigid transform (4, 4) to glTF's axes: +y up, the first camera on the side of +z, the median
    of world points (N, 3) at the origin. Lengths stay.
    """
    middle = np.median(points, axis=0)
    up = up_of_cameras(cameras, middle)
    front = level_direction(cameras.centres[0] - middle, up)
    transform = np.eye(4)
    transform[:3, :3] = np.stack([np.cross(up, front), up, front])
    transform[:3, 3] = -transform[:3, :3] @ middle
    return transform
