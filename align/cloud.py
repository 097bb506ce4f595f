"""The coloured points of a scene."""

from __future__ import annotations

import numpy as np

from align.point_cloud import PointCloud
from align.scene import Scene, points_of_view

DEFAULT_MIN_CONF = 1.5
"""The reference's viewer shows points from this confidence on."""


def cloud_of(scene: Scene, min_conf: float) -> PointCloud:
    """Return the points of all views, inside their masks, whose confidence is at least `min_conf`; view by view, row by row."""
    points, colours, conf = [], [], []
    for index, view in enumerate(scene.views):
        keep = view.mask & (view.conf >= max(min_conf, np.finfo(np.float32).tiny))
        points.append(points_of_view(scene, index)[keep])
        colours.append(view.image[keep])
        conf.append(view.conf[keep])
    return PointCloud(np.concatenate(points), np.concatenate(colours), np.concatenate(conf))
