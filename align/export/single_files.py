"""Formats of one file: glb, ply, cameras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from align.export.cameras_json import PhotoCamera, write_cameras
from align.export.gltf.glb import write_glb
from align.export.originals import Originals
from align.export.ply import write_ply
from align.points import DEFAULT_MIN_CONF, PointCloud, point_cloud
from align.scene import Scene
from masks.errors import UserError
from masks.notice import Notice
from masks.progress import Progress


@dataclass(frozen=True, slots=True)
class GlbFormat:
    """Points, cameras and photos as binary glTF."""

    file: ClassVar[str | None] = "scene.glb"
    min_conf: float = DEFAULT_MIN_CONF
    """Points with a lower confidence are left out."""

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write `scene.glb`."""
        images = [view.image for view in scene.views]
        write_glb(folder / "scene.glb", confident_points(scene, self.min_conf), scene.cameras, images)
        return ()


@dataclass(frozen=True, slots=True)
class PlyFormat:
    """Coloured points with their confidence."""

    file: ClassVar[str | None] = "points.ply"
    min_conf: float = DEFAULT_MIN_CONF
    """Points with a lower confidence are left out."""

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write `points.ply`."""
        write_ply(folder / "points.ply", confident_points(scene, self.min_conf))
        return ()


@dataclass(frozen=True, slots=True)
class CamerasFormat:
    """cameras.json, at the photos' resolution."""

    file: ClassVar[str | None] = "cameras.json"

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
    cloud = point_cloud(scene, min_conf)
    if len(cloud.points) == 0:
        surest = max(float(view.conf.max()) for view in scene.views)
        raise UserError(
            f"`min_conf={min_conf:g}`: no point of this scene is so sure (the surest has "
            f"{surest:.3g}). Choose a smaller number."
        )
    return cloud
