"""Which way is up in a world whose axes say nothing: from the way in which the photos were held."""

from __future__ import annotations

import numpy as np

from pairs.views.cameras import Cameras

Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""(4, 4) to glTF's axes from those of the object's frame, whose z is up."""


def up_of_cameras(cameras: Cameras) -> np.ndarray:
    """Return the unit normal (3,) of the best plane through the camera centres, on the side of the cameras'
    own up.

    Where the centres define no such plane (fewer than three, on a line, or above one another), the cameras'
    mean up is returned.
    """
    mean_up = -cameras.cam_from_world[:, 1, :3].mean(axis=0)
    mean_up /= max(np.linalg.norm(mean_up), np.finfo(float).tiny)
    centres = cameras.centres - cameras.centres.mean(axis=0)
    if len(centres) < 3:
        return mean_up
    _, spread, axes = np.linalg.svd(centres, full_matrices=False)
    normal = axes[2] if axes[2] @ mean_up > 0 else -axes[2]
    flat, agrees = spread[2] < 0.5 * spread[1], normal @ mean_up > 0.5
    return normal if flat and agrees else mean_up


def upright_transform(cameras: Cameras, points: np.ndarray) -> np.ndarray:
    """Return the rigid transform (4, 4) to glTF's axes: +y up, the first camera on the side of +z, the median
    of world points (N, 3) at the origin. Lengths stay.
    """
    middle = np.median(points, axis=0)
    up = up_of_cameras(cameras)
    # Cameras that look every way have no mean: any direction is as good.
    up = up / np.linalg.norm(up) if np.linalg.norm(up) > 1e-9 else np.array([0.0, 1.0, 0.0])
    towards = cameras.centres[0] - middle
    front = towards - (towards @ up) * up
    if np.linalg.norm(front) < 1e-9 * max(np.linalg.norm(towards), 1.0):
        # The first camera looks straight down; the axis that is least along up gives a level direction.
        front = np.eye(3)[np.abs(up).argmin()]
        front = front - (front @ up) * up
    front = front / np.linalg.norm(front)
    transform = np.eye(4)
    transform[:3, :3] = np.stack([np.cross(up, front), up, front])
    transform[:3, 3] = -transform[:3, :3] @ middle
    return transform
