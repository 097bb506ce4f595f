"""What `pointloom export` can write: names to functions of a scene, a path and a least confidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from align.cloud import cloud_of
from align.export.cameras_json import PhotoCamera, write_cameras
from align.export.glb import write_glb
from align.export.ply import write_ply
from align.scene import Scene


def _glb(scene: Scene, path: Path, min_conf: float) -> None:
    write_glb(path, cloud_of(scene, min_conf), scene.cameras, [view.image for view in scene.views])


def _ply(scene: Scene, path: Path, min_conf: float) -> None:
    write_ply(path, cloud_of(scene, min_conf))


def _cameras(scene: Scene, path: Path, min_conf: float) -> None:
    write_cameras(path, photo_cameras(scene))


def photo_cameras(scene: Scene) -> list[PhotoCamera]:
    """Return the cameras of all placed views at the photos' own resolution."""
    found = scene.at_original()
    return [
        PhotoCamera(view.name, *view.pixel_map.upright_size, K, pose[:3, :3], pose[:3, 3])
        for view, K, pose in zip(scene.views, found.K, found.cam_from_world)
    ]


EXPORTERS: Mapping[str, Callable[[Scene, Path, float], None]] = {"glb": _glb, "ply": _ply, "cameras": _cameras}
