"""A scene of things on a table, seen from all around: exact cameras and depths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ellipsoid_masks import Ellipsoid, around_origin, masks_of, pinholes

from align.scene import Report, Scene, SceneView
from masks.notice import Notice
from masks.pixelmap import identity
from pairs.views.cameras import Cameras

SIZE = (160, 120)
FOCAL = 200.0
TABLE_Z = -0.5
THING: Ellipsoid = ((0.0, 0.0, 0.0), (0.3, 0.4, 0.5))
"""Stands on the table, in the middle."""
SECOND: Ellipsoid = ((1.0, 0.6, -0.3), (0.2, 0.2, 0.2))
"""Smaller, and aside."""


def table_cameras(num_views: int = 12) -> Cameras:
    """Return cameras all around, 30 degrees above the table."""
    poses = around_origin(np.arange(num_views) * 360.0 / num_views, tilt_deg=30.0)
    return pinholes(poses, FOCAL, SIZE)


def table_scene(
    things: Sequence[Ellipsoid] = (THING,),
    table: bool = True,
    num_views: int = 12,
    notices: tuple[Notice, ...] = (),
    inputs: Sequence[str] | None = None,
) -> Scene:
    """Return the scene, named 00.jpg and on; depth is 0 where a ray meets nothing."""
    cameras = table_cameras(num_views)
    views = []
    for k in range(num_views):
        depth = table_depth(cameras, k, things, table)
        image = np.full((*depth.shape, 3), 90, np.uint8)
        seen = masks_of(Cameras(cameras.K[k : k + 1], cameras.cam_from_world[k : k + 1]), things, SIZE)[0]
        image[seen] = (220, 120, 40)
        conf = np.where(depth > 0, 6.0, 0.0).astype(np.float32)
        everything = np.ones(depth.shape, bool)
        views.append(SceneView(f"{k:02d}.jpg", "one", identity(SIZE), depth, conf, image, everything))
    names = tuple(view.name for view in views)
    return Scene(tuple(views), cameras, tuple(inputs or names), ((0, 1),), Report(notices))


def table_depth(
    cameras: Cameras, k: int, things: Sequence[Ellipsoid], table: bool, size: tuple[int, int] = SIZE
) -> np.ndarray:
    """Return the depth (H, W) float32 of things and table in view k."""
    y, x = np.mgrid[: size[1], : size[0]]
    R = cameras.cam_from_world[k, :3, :3]
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(cameras.K[k]).T @ R
    centre = cameras.centres[k]
    depth = np.full(x.shape, np.inf)
    if table:
        with np.errstate(divide="ignore"):
            t = (TABLE_Z - centre[2]) / rays[..., 2]
        depth = np.where((t > 0) & (np.linalg.norm(centre + t[..., None] * rays, axis=-1) < 2.2), t, np.inf)
    for middle, half in things:
        a, b = rays / half, (centre - middle) / np.array(half)
        quadratic, linear, rest = (a * a).sum(-1), (a * b).sum(-1), (b * b).sum() - 1
        root = linear**2 - quadratic * rest
        with np.errstate(invalid="ignore"):
            t = (-linear - np.sqrt(root)) / quadratic
        depth = np.where((root > 0) & (t > 0), np.minimum(depth, t), depth)
    return np.where(np.isfinite(depth), depth, 0).astype(np.float32)
