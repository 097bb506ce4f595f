"""A small scene with all that a scene may hold, to be stored and read again."""

from __future__ import annotations

import numpy as np

from align.scene import Report, Scene, SceneView
from masks.notice import warning
from masks.pixelmap import PixelMap
from pairs.views.cameras import Cameras


def small_scene() -> Scene:
    """Return a scene of three of four views, whose grids hold half of the photos' pixels."""
    rng = np.random.default_rng(3)
    views = []
    for k in range(3):
        depth = rng.uniform(1, 2, (8, 12)).astype(np.float32)
        mask = rng.random((8, 12)) < 0.6
        conf = (rng.uniform(0, 5, (8, 12)) * mask).astype(np.float32)
        image = rng.integers(0, 255, (8, 12, 3), np.uint8)
        pixel_map = PixelMap((24, 17), 1, (0, 0, 24, 16), (12, 8))
        views.append(SceneView(f"{k}.jpg", "one", pixel_map, depth, conf, image, mask))
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 0, 3] = [0, 0.1, -1 / 3]
    cameras = Cameras(np.tile([[10.0, 0, 5.5], [0, 10.0, 3.5], [0, 0, 1]], (3, 1, 1)), poses)
    report = Report((warning("1.jpg", "odd"),), {"steps": 3})
    return Scene(tuple(views), cameras, ("0.jpg", "1.jpg", "2.jpg", "3.jpg"), ((0, 1), (1, 2)), report)
