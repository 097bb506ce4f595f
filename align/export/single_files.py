"""Formats of one file: glb, ply, cameras."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from align.export.cameras_json import PhotoCamera, write_cameras
from align.export.gltf.glb import write_glb
from align.export.gltf.upright import Y_UP
from align.export.originals import Originals
from align.export.ply import write_ply
from align.export.surface import normals_of_depth
from align.points import DEFAULT_MIN_CONF, PointCloud, point_cloud, sure_pixels
from align.scene import Scene
from masks.errors import UserError
from masks.notice import Notice
from masks.progress import Progress


@dataclass(frozen=True, slots=True)
class GlbFormat:
    """Points, cameras and photos as binary glTF."""

    file: ClassVar[str | None] = "scene.glb"
    uses_photos: ClassVar[bool] = False
    min_conf: float = DEFAULT_MIN_CONF
    """Points with a lower confidence are left out."""
    frame: Literal["scene", "object"] = "scene"
    """The frame that the scene comes in. object: z is up, and becomes glTF's y; scene: the first camera looks
    along -z."""

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write `scene.glb`."""
        images = [view.image for view in scene.views]
        upright = Y_UP if self.frame == "object" else None
        cloud = confident_points(scene, self.min_conf)
        write_glb(folder / "scene.glb", cloud, scene.cameras, images, upright)
        return ()


@dataclass(frozen=True, slots=True)
class PlyFormat:
    """Coloured points with their normals and confidence."""

    file: ClassVar[str | None] = "points.ply"
    uses_photos: ClassVar[bool] = False
    min_conf: float = DEFAULT_MIN_CONF
    """Points with a lower confidence are left out."""

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write `points.ply`."""
        cloud = confident_points(scene, self.min_conf)
        write_ply(folder / "points.ply", replace(cloud, normals=_normals(scene, self.min_conf)))
        return ()


@dataclass(frozen=True, slots=True)
class CamerasFormat:
    """cameras.json, at the photos' resolution."""

    file: ClassVar[str | None] = "cameras.json"
    uses_photos: ClassVar[bool] = False

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write `cameras.json`."""
        write_cameras(folder / "cameras.json", photo_cameras(scene))
        return ()


def photo_cameras(scene: Scene) -> list[PhotoCamera]:
    """Return the cameras of all placed views at the photos' own resolution."""
    found = scene.at_original()
    return [
        PhotoCamera(view.name, *view.pixel_map.upright_size, K, pose[:3, :3], pose[:3, 3], lens)
        for view, K, pose, lens in zip(scene.views, found.K, found.cam_from_world, scene.lenses)
    ]


def confident_points(scene: Scene, min_conf: float) -> PointCloud:
    """Return the points that are sure enough. Raises `UserError` where there are none."""
    require_confident(scene, min_conf)
    return point_cloud(scene, min_conf)


def require_confident(scene: Scene, min_conf: float) -> None:
    """Raise `UserError` where no pixel is sure enough."""
    if not any(sure_pixels(view, min_conf).any() for view in scene.views):
        surest = max(float(view.conf.max()) for view in scene.views)
        raise UserError(
            f"`min_conf={min_conf:g}`: no point of this scene is so sure (the surest has "
            f"{surest:.3g}). Choose a smaller number."
        )


def _normals(scene: Scene, min_conf: float) -> np.ndarray:
    """Return the normals (N, 3) float32, in the world, of the points of `point_cloud`."""
    found = []
    for view, K, pose in zip(scene.views, scene.cameras.K, scene.cameras.cam_from_world):
        # Depths that nobody is sure of would bend the planes of their neighbours.
        sure = sure_pixels(view, min_conf)
        found.append(normals_of_depth(np.where(sure, view.depth, 0), K)[sure] @ pose[:3, :3])
    return np.concatenate(found).astype(np.float32)
