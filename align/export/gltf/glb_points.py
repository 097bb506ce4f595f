"""Reading the points of a GLB that pointloom wrote."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from align.points import PointCloud
from masks.errors import FormatError
from masks.reading import reading

_MAGIC, _VERSION = b"glTF", 2
_JSON, _BINARY = b"JSON", b"BIN\0"
_PNG = b"\x89PNG\r\n\x1a\n"
_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
_NUMBERS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def read_glb(path: Path) -> PointCloud:
    """Read the points of a GLB that `write_glb` made from a cloud, in world coordinates. Raises `FormatError`
    for other files.
    """
    with reading(path, "Export the scene again.", "is not a readable GLB"):
        data = path.read_bytes()
        _require_plain(*glb_chunks(data))
        scene = trimesh.load_scene(BytesIO(data), file_type="glb", process=False)
        cloud = scene.geometry.get("object")
        if not isinstance(cloud, trimesh.PointCloud):
            raise FormatError(
                f"{path}: holds no cloud named 'object'. Give a GLB that pointloom wrote from points."
            )
        points = np.asarray(cloud.vertices, np.float64)
        if not np.isfinite(points).all():
            raise ValueError("its points are not finite")
        return PointCloud(points, np.asarray(cloud.colors)[:, :3].astype(np.uint8))


def glb_chunks(data: bytes) -> tuple[Mapping[str, Any], bytes]:
    """Return the document and the numbers of a GLB. Raises `ValueError`, or others, for what is none."""
    magic, version, size = struct.unpack_from("<4sII", data)
    if magic != _MAGIC or version != _VERSION or size > len(data):
        raise ValueError("no header of glTF 2, or cut short")
    found: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= size:
        length, kind = struct.unpack_from("<I4s", data, at)
        found.setdefault(kind, data[at + 8 : at + 8 + length])
        at += 8 + length
    return json.loads(found[_JSON].decode()), found[_BINARY]


def _require_plain(document: Mapping[str, Any], buffer: bytes) -> None:
    """Raise `ValueError` for what a file of ours has not, before trimesh sees it: numbers that are not in the
    file take as much memory as the file asks for, and pictures go to Pillow, which tries all formats that it
    knows (`masks.image_file.FORMATS`).
    """
    views = document["bufferViews"]
    for accessor in document["accessors"]:
        start, end = _extent(views[accessor["bufferView"]], buffer)
        size = _BYTES[accessor["componentType"]] * _NUMBERS[accessor["type"]]
        count, offset = accessor["count"], accessor.get("byteOffset", 0)
        if "sparse" in accessor or not 0 <= offset <= offset + count * size <= end - start:
            raise ValueError("numbers outside of the file")
    for image in document.get("images", []):
        start, end = _extent(views[image["bufferView"]], buffer)
        if "uri" in image or not buffer[start:end].startswith(_PNG):
            raise ValueError("a picture that is no PNG inside the file")
    if "extensionsRequired" in document or any("uri" in each for each in document["buffers"]):
        raise ValueError("parts outside of the file")


def _extent(view: Mapping[str, Any], buffer: bytes) -> tuple[int, int]:
    start = view.get("byteOffset", 0)
    end = start + view["byteLength"]
    if not 0 <= start <= end <= len(buffer):
        raise ValueError("numbers outside of the file")
    return start, end
