"""What `pointloom export` can write: names to functions of a scene, a path and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from align.export.cameras_json import PhotoCamera, write_cameras
from align.export.gltf.glb import write_glb
from align.export.ply import write_ply
from align.points import DEFAULT_MIN_CONF, PointCloud, point_cloud
from align.scene import Scene
from masks.errors import UserError


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What of a scene is written."""

    min_conf: float = DEFAULT_MIN_CONF
    """Points with a lower confidence are left out; cameras are written whatever it is."""


class Exporter(Protocol):
    """Writes a scene as one file. Raises `OutputError` when the place cannot be written, `UserError` when
    nothing would be in it.
    """

    def __call__(self, scene: Scene, path: Path | str, options: ExportOptions = ...) -> None: ...


def export_glb(scene: Scene, path: Path | str, options: ExportOptions = ExportOptions()) -> None:
    """Write points, cameras and photos as binary glTF."""
    images = [view.image for view in scene.views]
    write_glb(Path(path), _confident(scene, options), scene.cameras, images)


def export_ply(scene: Scene, path: Path | str, options: ExportOptions = ExportOptions()) -> None:
    """Write coloured points with their confidence."""
    write_ply(Path(path), _confident(scene, options))


def export_cameras(scene: Scene, path: Path | str, options: ExportOptions = ExportOptions()) -> None:
    """Write cameras.json, at the photos' resolution."""
    write_cameras(Path(path), photo_cameras(scene))


def photo_cameras(scene: Scene) -> list[PhotoCamera]:
    """Return the cameras of all placed views at the photos' own resolution."""
    found = scene.at_original()
    return [
        PhotoCamera(view.name, *view.pixel_map.upright_size, K, pose[:3, :3], pose[:3, 3], lens)
        for view, K, pose, lens in zip(scene.views, found.K, found.cam_from_world, scene.lenses)
    ]


EXPORTERS: Mapping[str, Exporter] = {"glb": export_glb, "ply": export_ply, "cameras": export_cameras}
"""By the names that the command line takes."""


def _confident(scene: Scene, options: ExportOptions) -> PointCloud:
    cloud = point_cloud(scene, options.min_conf)
    if len(cloud.points) == 0:
        surest = max(float(view.conf.max()) for view in scene.views)
        raise UserError(
            f"`min_conf={options.min_conf:g}`: no point of this scene is so sure (the surest has "
            f"{surest:.3g}). Choose a smaller number."
        )
    return cloud
