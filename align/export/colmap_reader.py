"""Reading COLMAP models, binary (cameras.bin, images.bin, points3D.bin) or text.

Not by pycolmap, which takes memory for as many entries as a damaged count says: of 600 models with one to
three wrong bytes 17 did not end within 10 s. Here every count is of entries that are in the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from masks.errors import FormatError
from masks.reading import reading
from pairs.views.cameras import Cameras

# By COLMAP's numbers (colmap/sensor/models.h): name, parameters, and how many of them are focals, which stand
# before the principal point. The equirectangular model has neither.
_MODELS = {
    0: ("SIMPLE_PINHOLE", 3, 1),
    1: ("PINHOLE", 4, 2),
    2: ("SIMPLE_RADIAL", 4, 1),
    3: ("RADIAL", 5, 1),
    4: ("OPENCV", 8, 2),
    5: ("OPENCV_FISHEYE", 8, 2),
    6: ("FULL_OPENCV", 12, 2),
    7: ("FOV", 5, 2),
    8: ("SIMPLE_RADIAL_FISHEYE", 4, 1),
    9: ("RADIAL_FISHEYE", 5, 1),
    10: ("THIN_PRISM_FISHEYE", 12, 2),
    11: ("RAD_TAN_THIN_PRISM_FISHEYE", 16, 2),
    12: ("SIMPLE_DIVISION", 4, 1),
    13: ("DIVISION", 5, 2),
    14: ("SIMPLE_FISHEYE", 3, 1),
    15: ("FISHEYE", 4, 2),
    16: ("EUCM", 6, 2),
}
_BY_NAME = {name: (count, focals) for name, count, focals in _MODELS.values()}
# Ids of points that were merged or filtered leave gaps, tenfold at most in models that were seen; rows are by
# ids, and a damaged one must not take memory for a billion of them.
_MOST_GAPS, _ALWAYS_ROWS = 64, 1_000_000


@dataclass(frozen=True, slots=True)
class _Model:
    """What a folder says, by COLMAP's ids."""

    K: Mapping[int, np.ndarray]  # (3, 3) of each camera
    cam_from_world: Mapping[int, np.ndarray]  # (4, 4) of each image
    camera: Mapping[int, int]
    """Of each image."""
    points: Mapping[int, tuple[float, float, float]]


def read_colmap(folder: Path) -> tuple[Cameras, np.ndarray]:
    """Return the cameras (V) of a COLMAP model's images by their ids, and its points (P, 3): point id k is in
    row k - 1, and gaps stay zero.

    Lens distortion is not told. Raises `FormatError` when there is no model in the folder.
    """
    remedy = "Name the folder of its cameras, images and points3D."
    if not any((folder / name).is_file() for name in ("cameras.bin", "cameras.txt")):
        raise FormatError(f"{folder}: holds no COLMAP model. {remedy}")
    with reading(folder, remedy, "holds a damaged COLMAP model"):
        model = _binary_model(folder) if (folder / "cameras.bin").is_file() else _text_model(folder)
        images = sorted(model.cam_from_world)
        last = max(model.points, default=0)
        if min(model.points, default=1) < 1 or last > max(_ALWAYS_ROWS, _MOST_GAPS * len(model.points)):
            raise ValueError("ids of points that cannot be")
        points = np.zeros((last, 3))
        for key, xyz in model.points.items():
            points[key - 1] = xyz
        K = np.array([model.K[model.camera[image]] for image in images]).reshape(-1, 3, 3)
        cam_from_world = np.array([model.cam_from_world[image] for image in images]).reshape(-1, 4, 4)
        if not all(np.isfinite(array).all() for array in (K, cam_from_world, points)):
            raise ValueError("numbers that are not finite")
        return Cameras(K, cam_from_world), points


def _binary_model(folder: Path) -> _Model:
    K, cam_from_world, camera, points = {}, {}, {}, {}
    file = _Bytes((folder / "cameras.bin").read_bytes())
    for _ in range(file.count()):
        key, model, _width, _height = file.take("<IiQQ")
        _name, count, focals = _MODELS[model]
        K[key] = _calibration(file.take(f"<{count}d"), focals)
    file = _Bytes((folder / "images.bin").read_bytes())
    for _ in range(file.count()):
        key, *pose, camera_id = file.take("<I7dI")
        cam_from_world[key], camera[key] = _pose(pose), camera_id
        file.skip_text()
        file.skip(24 * file.count())
    file = _Bytes((folder / "points3D.bin").read_bytes())
    for _ in range(file.count()):
        key, x, y, z = file.take("<Q3d")
        points[key] = (x, y, z)
        file.skip(3 + 8)
        file.skip(8 * file.count())
    return _Model(K, cam_from_world, camera, points)


def _text_model(folder: Path) -> _Model:
    K, cam_from_world, camera, points = {}, {}, {}, {}
    for line in _lines(folder / "cameras.txt"):
        key, name, _width, _height, *params = line.split()
        count, focals = _BY_NAME[name]
        if len(params) != count:
            raise ValueError(f"{len(params)} parameters of a {name} camera")
        K[int(key)] = _calibration(tuple(map(float, params)), focals)
    # The second line of an image lists its keypoints, and may be empty.
    for line in list(_lines(folder / "images.txt", keep_empty=True))[::2]:
        if not line:
            continue
        key, *pose, camera_id, _name = line.split(maxsplit=9)
        cam_from_world[int(key)], camera[int(key)] = _pose([float(number) for number in pose]), int(camera_id)
    for line in _lines(folder / "points3D.txt"):
        key, x, y, z, *_rest = line.split()
        points[int(key)] = (float(x), float(y), float(z))
    return _Model(K, cam_from_world, camera, points)


def _lines(path: Path, keep_empty: bool = False) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if not text.startswith("#") and (text or keep_empty):
            yield text


class _Bytes:
    """A file that is read from front to back."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, layout: str) -> tuple:
        """Return the numbers that come next."""
        found = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return found

    def count(self) -> int:
        """Return how many entries follow; each takes a byte at least."""
        (number,) = self.take("<Q")
        if number > len(self._data) - self._at:
            raise ValueError(f"{number} entries in {len(self._data)} bytes")
        return number

    def skip(self, size: int) -> None:
        """Go on behind so many bytes."""
        if size > len(self._data) - self._at:
            raise ValueError("cut short")
        self._at += size

    def skip_text(self) -> None:
        """Go on behind a text, which ends with a zero."""
        self._at = self._data.index(b"\0", self._at) + 1


def _calibration(params: tuple[float, ...], focals: int) -> np.ndarray:
    (fx, fy), (cx, cy) = (params[0], params[focals - 1]), params[focals : focals + 2]
    if min(fx, fy) <= 0:
        raise ValueError("a focal that is not positive")
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def _pose(numbers: list[float]) -> np.ndarray:
    """Return the transform (4, 4) of a quaternion, real part first, and a translation."""
    w, x, y, z, *t = numbers
    transform = np.eye(4)
    transform[:3, :3], transform[:3, 3] = Rotation.from_quat([x, y, z, w]).as_matrix(), t
    return transform
