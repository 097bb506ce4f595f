"""Cameras of a file or folder of any kind that is known, told by what it holds."""

from __future__ import annotations

from pathlib import Path

from align.export.colmap_reader import MODEL_NAMES
from align.imports.cameras_document import read_cameras_document
from align.imports.colmap import read_colmap_cameras
from align.imports.nerfstudio import read_nerfstudio
from align.imports.opencv_calibration import MATRIX_KEYS, read_opencv_calibration
from masks.errors import FormatError
from masks.reading import read_json, reading
from pairs.prediction.checks import fault_of_K
from pairs.views.imported_camera import ImportedCameras

_KNOWN = (
    "Give a cameras.json, a COLMAP model or its cameras.txt, a transforms.json of nerfstudio, or a "
    "calibration of OpenCV (YAML or XML)."
)
_COLMAP_FILES = tuple(f"{name}.{end}" for name in ("cameras", "images", "points3D") for end in ("txt", "bin"))
_IN_FOLDERS = ("", "sparse/0", "sparse", "colmap/sparse/0")
_HEAD = 1 << 16


def read_cameras_of(path: Path | str) -> ImportedCameras:
    """Return the cameras that a file or folder states: cameras.json, a COLMAP model (text or binary) or its
    cameras.txt alone, nerfstudio's transforms.json, or an OpenCV or ROS calibration.

    What it is, is told by what it holds. Raises `FormatError` naming the file, the place in it and the
    remedy.
    """
    path = Path(path)
    found = _of_folder(path) if path.is_dir() else _of_file(path)
    for camera in found.cameras:
        if fault := fault_of_K(camera.K, camera.size):
            raise FormatError(f"{camera.place}: {fault}")
    return found


def _of_file(path: Path) -> ImportedCameras:
    with reading(path, _KNOWN), path.open("rb") as file:
        head = file.read(_HEAD).lstrip(b"\xef\xbb\xbf \t\r\n")
    if path.name in _COLMAP_FILES:
        return read_colmap_cameras(path.parent, path)
    if head.startswith(b"["):
        return read_cameras_document(path)
    if head.startswith(b"{"):
        document = read_json(path, _KNOWN)
        return read_opencv_calibration(path) if _is_opencv(document) else read_nerfstudio(path)
    if head.startswith((b"%YAML", b"<?xml")) or any(f"{key}:".encode() in head for key in MATRIX_KEYS):
        return read_opencv_calibration(path)
    if any(f" {name} ".encode() in head for name in MODEL_NAMES):
        raise FormatError(f"{path}: looks like COLMAP's cameras. Call it cameras.txt.")
    raise FormatError(f"{path}: holds no cameras of a kind that is known. {_KNOWN}")


def _of_folder(folder: Path) -> ImportedCameras:
    for inner in _IN_FOLDERS:
        if any((folder / inner / name).is_file() for name in ("cameras.bin", "cameras.txt")):
            return read_colmap_cameras(folder / inner)
    for name, read in (("transforms.json", read_nerfstudio), ("cameras.json", read_cameras_document)):
        if (folder / name).is_file():
            return read(folder / name)
    raise FormatError(f"{folder}: a folder without a COLMAP model or transforms.json. {_KNOWN}")


def _is_opencv(document: object) -> bool:
    return isinstance(document, dict) and any(key in document for key in MATRIX_KEYS)
