"""What `pointloom export` can write: names to functions of a scene, a path and a least confidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from align.export.cameras_json import PhotoCamera, write_cameras
from align.export.glb import write_glb
from align.export.ply import write_ply
from align.point_cloud import PointCloud, cloud_of
from align.scene import Scene
from masks.errors import UserError


def _glb(scene: Scene, path: Path, min_conf: float) -> None:
    write_glb(path, _confident(scene, min_conf), scene.cameras, [view.image for view in scene.views])


def _ply(scene: Scene, path: Path, min_conf: float) -> None:
    write_ply(path, _confident(scene, min_conf))


def _confident(scene: Scene, min_conf: float) -> PointCloud:
    cloud = cloud_of(scene, min_conf)
    if len(cloud.points) == 0:
        surest = max(float(view.conf.max()) for view in scene.views)
        raise UserError(
            f"--min-conf {min_conf:g}: no point of this scene is so sure (the surest has {surest:.3g}). "
            "Choose a smaller number."
        )
    return cloud


def _cameras(scene: Scene, path: Path, min_conf: float) -> None:
    write_cameras(path, photo_cameras(scene))


def photo_cameras(scene: Scene) -> list[PhotoCamera]:
    """Return the cameras of all placed views at the photos' own resolution."""
    found = scene.at_original()
    return [
        PhotoCamera(view.name, *view.pixel_map.upright_size, K, pose[:3, :3], pose[:3, 3])
        for view, K, pose in zip(scene.views, found.K, found.cam_from_world)
    ]


EXPORTERS: Mapping[str, Callable[[Scene, Path, float], None]] = {
    "glb": _glb,
    "ply": _ply,
    "cameras": _cameras,
}
