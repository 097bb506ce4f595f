"""cameras.json as imported cameras."""

from __future__ import annotations

from pathlib import Path

from align.export.cameras_json import read_cameras
from pairs.views.imported_camera import ImportedCamera, ImportedCameras


def read_cameras_document(path: Path) -> ImportedCameras:
    """Return the cameras of a cameras.json. Raises `FormatError` for a damaged one."""
    cameras = [
        ImportedCamera(
            camera.file,
            (camera.width, camera.height),
            camera.K,
            camera.lens,
            camera.cam_from_world,
            f"{path}: {camera.file}",
        )
        for camera in read_cameras(path)
    ]
    return ImportedCameras(str(path), "cameras.json", tuple(cameras))
