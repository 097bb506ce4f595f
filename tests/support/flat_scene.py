"""A scene of two views of a plane, which its depth tells from others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from align.scene import Report, Scene, SceneView
from masks.pixelmap import identity
from pairs.views.cameras import Cameras


def flat_scene(depth: float = 1.0, name: str = "a.png") -> Scene:
    """Return the scene; `name` is that of its first view."""
    first = SceneView(
        name,
        "one",
        identity((4, 3)),
        np.full((3, 4), depth, np.float32),
        np.ones((3, 4), np.float32),
        np.zeros((3, 4, 3), np.uint8),
        np.ones((3, 4), bool),
    )
    cameras = Cameras(np.tile([[5.0, 0, 2], [0, 5, 1], [0, 0, 1]], (2, 1, 1)), np.tile(np.eye(4), (2, 1, 1)))
    return Scene((first, replace(first, name="b.png")), cameras, (name, "b.png"), ((0, 1),), Report())
