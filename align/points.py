"""Coloured points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from align.scene import Scene, SceneView, points_of_view


@dataclass(frozen=True, slots=True)
class PointCloud:
    """Finite points of one frame, with the colour that a photo shows there."""

    points: np.ndarray  # (N, 3), world
    colours: np.ndarray  # (N, 3) uint8, sRGB
    conf: np.ndarray | None = None  # (N,)
    """How sure each point is, on the scale of the predictions; none when nobody said."""
    normals: np.ndarray | None = None  # (N, 3)
    """Unit normals of the surface, on the side from which it was seen; none when nobody asked."""

    def __post_init__(self) -> None:
        n = len(self.points)
        if self.points.shape != (n, 3) or self.colours.shape != (n, 3) or self.colours.dtype != np.uint8:
            raise ValueError(
                f"a cloud needs points (N, 3) and uint8 colours (N, 3), not {self.points.shape} and "
                f"{self.colours.dtype} {self.colours.shape}"
            )
        if self.conf is not None and self.conf.shape != (n,):
            raise ValueError(f"a cloud of {n} points needs a confidence ({n},), not {self.conf.shape}")
        if self.normals is not None and self.normals.shape != (n, 3):
            raise ValueError(f"a cloud of {n} points needs normals ({n}, 3), not {self.normals.shape}")


def finite_part(cloud: PointCloud) -> PointCloud:
    """Return the cloud without points that are not finite."""
    keep = np.isfinite(cloud.points).all(axis=1)
    return PointCloud(
        cloud.points[keep],
        cloud.colours[keep],
        None if cloud.conf is None else cloud.conf[keep],
        None if cloud.normals is None else cloud.normals[keep],
    )


DEFAULT_MIN_CONF = 1.5
"""The reference's viewer shows points from this confidence on."""


def point_cloud(scene: Scene, min_conf: float) -> PointCloud:
    """Return the points of all views, inside their masks, whose confidence is at least `min_conf`; view by
    view, row by row.
    """
    points, colours, conf = [], [], []
    for index, view in enumerate(scene.views):
        keep = sure_pixels(view, min_conf)
        points.append(points_of_view(scene, index)[keep])
        colours.append(view.image[keep])
        conf.append(view.conf[keep])
    return PointCloud(np.concatenate(points), np.concatenate(colours), np.concatenate(conf))


def sure_pixels(view: SceneView, min_conf: float) -> np.ndarray:
    """Return the pixels (H, W) bool of a view's object whose confidence is positive and at least
    `min_conf`.
    """
    return view.mask & (view.conf >= max(min_conf, np.finfo(np.float32).tiny))
