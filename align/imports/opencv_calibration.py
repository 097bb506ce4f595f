"""OpenCV's calibrations, YAML, XML or JSON, and those of ROS, as one imported camera.

Not by OpenCV itself: its parser of YAML never ends on some damaged headers, where nothing can interrupt it,
and brackets nested deeply end the process. What calibrations need of YAML is little.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from align.imports.coefficients import lens_of
from masks.errors import FormatError
from masks.reading import read_json, reading
from pairs.views.imported_camera import ImportedCamera, ImportedCameras

MATRIX_KEYS = ("camera_matrix", "Camera_Matrix", "cameraMatrix", "K", "mtx")
"""What the matrix is called in OpenCV's samples, in ROS, and in the scripts that people copy."""
_DISTORTION_KEYS = (
    *("distortion_coefficients", "Distortion_Coefficients", "distCoeffs", "dist_coeffs"),
    *("distortion_coeffs", "D", "dist"),
)
_WIDTH_KEYS, _HEIGHT_KEYS = (
    ("image_width", "image_Width", "width"),
    ("image_height", "image_Height", "height"),
)
_SIZE_KEYS = ("image_size", "imageSize", "size")
_MODEL_KEYS = ("distortion_model", "camera_model", "model")
_FISHEYES = ("equidistant", "fisheye", "kannala", "omni", "mei", "unified", "double_sphere", "thin")
_MOST_BYTES, _MOST_SIDE = 1 << 20, 1_000_000
_ENTRY = re.compile(r"([A-Za-z_]\w*)\s*:(?:\s+(.*))?")
_OTHER_PARTS = re.compile(r"\b(?:rows|cols|dt|type_id)\s*:")
_NOT_FINITE = {".nan": math.nan, ".inf": math.inf, "-.inf": -math.inf}
_REMEDY = "Give the calibration as OpenCV or ROS writes it."


def read_opencv_calibration(path: Path) -> ImportedCameras:
    """Return the camera of a calibration, for all photos of its size. Raises `FormatError` naming what
    is missing or cannot be.
    """
    with reading(path, _REMEDY, "is a damaged calibration"):
        if path.stat().st_size > _MOST_BYTES:
            raise FormatError(f"{path}: {path.stat().st_size} bytes are no calibration. {_REMEDY}")
        document = _document(path)
        if not any(key in document for key in MATRIX_KEYS):
            raise FormatError(f"{path}: holds no camera_matrix. {_REMEDY}")
        K = np.array(_numbers(_first(document, MATRIX_KEYS)))
        coefficients = _numbers(_first(document, _DISTORTION_KEYS) or [])
        size = _size(document)
        is_fisheye = any(_numbers(document.get("fisheye_model", 0)))
    model = " ".join(str(document[key]) for key in _MODEL_KEYS if key in document).lower()
    if any(word in model for word in _FISHEYES) or is_fisheye:
        raise FormatError(f"{path}: is the calibration of a fisheye. Undistort the photos first.")
    _require_pinhole(path, K)
    if size is None:
        raise FormatError(
            f"{path}: does not say for which size it is. Add image_width and image_height, in whole pixels."
        )
    # From the ninth on they are a thin prism's and a tilted sensor's.
    if len(coefficients) not in (0, 4, 5, 8, 12, 14) or any(value != 0 for value in coefficients[8:]):
        raise FormatError(
            f"{path}: has {len(coefficients)} distortion coefficients. Calibrate with 4 (k1 k2 p1 p2), 5 "
            "(and k3) or 8 (and k4 k5 k6)."
        )
    lens = lens_of(coefficients[:8], str(path))
    camera = ImportedCamera("", size, K.reshape(3, 3), lens, None, str(path))
    return ImportedCameras(str(path), "OpenCV calibration", (camera,))


def _document(path: Path) -> dict[str, Any]:
    """Return the values of a file by their names, as texts where it is not JSON."""
    text = path.read_bytes().decode("utf-8-sig").lstrip()
    if text.startswith("{"):
        return read_json(path, _REMEDY)
    if text.startswith("<"):
        return {child.tag: _xml_text(child) for child in ElementTree.fromstring(text)}
    entries: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith(("%", "---", "...", "#")):
            continue
        # What is indented, or an item of a list, belongs to the entry above.
        if not line[0].isspace() and not line.startswith(("-", "]")):
            found = _ENTRY.fullmatch(line.rstrip())
            if found is None or found[1] in entries:
                raise ValueError(f"the line {line[:40]!r}")
            current = entries[found[1]] = [found[2] or ""]
        else:
            current.append(line)
    return {key: re.sub(r"!!\S+", "", " ".join(lines)).strip() for key, lines in entries.items()}


def _xml_text(element: ElementTree.Element) -> str:
    data = element.find("data")
    return (element if data is None else data).text or ""


def _first(document: dict[str, Any], keys: Sequence[str]) -> Any:
    return next((document[key] for key in keys if key in document), None)


def _numbers(value: Any) -> list[float]:
    """Return the numbers of a matrix, row by row: written as an object with data, or as lists."""
    if isinstance(value, dict):
        return _numbers(value.get("data"))
    if isinstance(value, list):
        return [number for part in value for number in _numbers(part)]
    if isinstance(value, str):
        _, _, data = value.rpartition("data:")
        words = re.split(r"[\s,\[\]]+", _OTHER_PARTS.split(data)[0])
        return [
            _NOT_FINITE[word.lower()] if word.lower() in _NOT_FINITE else float(word)
            for word in words
            if word not in ("", "-")
        ]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("where numbers belong is something else")
    return [float(value)]


def _size(document: dict[str, Any]) -> tuple[int, int] | None:
    sides = [_first(document, _WIDTH_KEYS), _first(document, _HEIGHT_KEYS)]
    stated = _first(document, _SIZE_KEYS) if None in sides else sides
    if stated is None:
        return None
    w, h = _numbers(stated)
    if not all(0 < side <= _MOST_SIDE and side == math.floor(side) for side in (w, h)):
        raise ValueError(f"sizes {w:g} and {h:g} that cannot be")
    return int(w), int(h)


def _require_pinhole(path: Path, K: np.ndarray) -> None:
    flat = K.tolist()
    sound = len(flat) == 9 and np.isfinite(K).all() and flat[0] > 0 and flat[4] > 0
    if not sound or flat[3] != 0 or flat[6:] != [0, 0, 1]:
        raise FormatError(
            f"{path}: its camera_matrix is not a pinhole's. Give fx 0 cx, 0 fy cy, 0 0 1 in pixels."
        )
