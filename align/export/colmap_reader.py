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
MODEL_NAMES = tuple(name for name, _, _ in _MODELS.values())
_BY_NAME = {name: (count, focals) for name, count, focals in _MODELS.values()}
_MOST_SIDE = 1_000_000
# Ids of points that were merged or filtered leave gaps, tenfold at most in models that were seen; rows are by
# ids, and a damaged one must not take memory for a billion of them.
_MOST_GAPS, _ALWAYS_ROWS = 64, 1_000_000
_KEYPOINT = np.dtype([("xy", "<f8", 2), ("point", "<i8")])


@dataclass(frozen=True, slots=True)
class ColmapCamera:
    """A lens; COLMAP's pixel centres, at halves."""

    model: str
    size: tuple[int, int]
    """(width, height)."""
    params: tuple[float, ...]

    @property
    def num_pinhole(self) -> int:
        """How many parameters come before those of the distortion."""
        return _BY_NAME[self.model][1] + 2

    @property
    def K(self) -> np.ndarray:
        """(3, 3)."""
        focals = _BY_NAME[self.model][1]
        (fx, fy), (cx, cy) = (self.params[0], self.params[focals - 1]), self.params[focals : focals + 2]
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


@dataclass(frozen=True, slots=True)
class ColmapImage:
    """A placed photo with its keypoints."""

    name: str
    camera: int
    """Id of its lens."""
    cam_from_world: np.ndarray  # (4, 4)
    xy: np.ndarray  # (N, 2), COLMAP's pixels
    point: np.ndarray  # (N,) int64, id of the point that each shows, -1 for none


@dataclass(frozen=True, slots=True)
class ColmapModel:
    """What a folder holds, by COLMAP's ids."""

    cameras: Mapping[int, ColmapCamera]
    images: Mapping[int, ColmapImage]
    points: Mapping[int, tuple[float, float, float]]
    """World positions."""


_REMEDY = "Name the folder of its cameras, images and points3D."
_DAMAGED = "holds a damaged COLMAP model"


def read_model(folder: Path) -> ColmapModel:
    """Return the model of a folder; rigs and frames, which say the same in other words, are not looked at.

    Raises `FormatError` when there is none, or a damaged one.
    """
    cameras, images = read_lenses(folder), read_placed_images(folder)
    with reading(folder, _REMEDY, _DAMAGED):
        points = dict(_points(folder))
        for image in images.values():
            if image.camera not in cameras:
                raise ValueError("an image of a camera that is not there")
        if not np.isfinite(np.array(list(points.values()))).all() or min(points, default=1) < 1:
            raise ValueError("points with numbers that cannot be")
        return ColmapModel(cameras, images, points)


def read_lenses(folder: Path) -> dict[int, ColmapCamera]:
    """Return the cameras of a model by their ids. Raises `FormatError` when there are none, or damaged
    ones.
    """
    if not any((folder / name).is_file() for name in ("cameras.bin", "cameras.txt")):
        raise FormatError(f"{folder}: holds no COLMAP model. {_REMEDY}")
    with reading(folder, _REMEDY, _DAMAGED):
        return dict(_lenses(folder))


def has_images(folder: Path) -> bool:
    """Tell whether a model holds more than its cameras."""
    return (folder / ("images.bin" if _is_binary(folder) else "images.txt")).is_file()


def read_placed_images(folder: Path) -> dict[int, ColmapImage]:
    """Return the images of a model by their ids. Raises `FormatError` when there are none, or damaged
    ones.
    """
    with reading(folder, _REMEDY, _DAMAGED):
        images = dict(_images(folder))
        for image in images.values():
            if not (np.isfinite(image.cam_from_world).all() and np.isfinite(image.xy).all()):
                raise ValueError("an image with numbers that are not finite")
        return images


def read_colmap(folder: Path) -> tuple[Cameras, np.ndarray]:
    """Return the cameras (V) of a COLMAP model's images by their ids, and its points (P, 3): point id k is in
    row k - 1, and gaps stay zero.

    Lens distortion is not told. Raises `FormatError` when there is no model in the folder.
    """
    model = read_model(folder)
    images = [model.images[key] for key in sorted(model.images)]
    last = max(model.points, default=0)
    if last > max(_ALWAYS_ROWS, _MOST_GAPS * len(model.points)):
        raise FormatError(
            f"{folder}: holds a point number {last} among {len(model.points)}. The model is damaged: write "
            "it again."
        )
    points = np.zeros((last, 3))
    for key, xyz in model.points.items():
        points[key - 1] = xyz
    return Cameras(
        np.array([model.cameras[image.camera].K for image in images]).reshape(-1, 3, 3),
        np.array([image.cam_from_world for image in images]).reshape(-1, 4, 4),
    ), points


def colmap_camera(model: str, size: tuple[int, int], params: tuple[float, ...]) -> ColmapCamera:
    """Return a lens of that model. Raises `ValueError` when it cannot be."""
    if model not in _BY_NAME or len(params) != _BY_NAME[model][0]:
        raise ValueError(f"{len(params)} parameters of a camera {model}")
    focals = params[: _BY_NAME[model][1]]
    if not np.isfinite(params).all() or min(focals) <= 0 or not 0 < min(size) <= max(size) <= _MOST_SIDE:
        raise ValueError(f"sizes or parameters of a camera {model} that cannot be")
    return ColmapCamera(model, size, params)


def _lenses(folder: Path) -> Iterator[tuple[int, ColmapCamera]]:
    if _is_binary(folder):
        file = _Bytes((folder / "cameras.bin").read_bytes())
        for _ in range(file.count()):
            key, model, width, height = file.take("<IiQQ")
            name, count, _focals = _MODELS[model]
            yield key, colmap_camera(name, (width, height), file.take(f"<{count}d"))
        return
    for line in _lines(folder / "cameras.txt"):
        key, name, width, height, *params = line.split()
        yield int(key), colmap_camera(name, (int(width), int(height)), tuple(map(float, params)))


def _images(folder: Path) -> Iterator[tuple[int, ColmapImage]]:
    if _is_binary(folder):
        file = _Bytes((folder / "images.bin").read_bytes())
        for _ in range(file.count()):
            key, *pose, camera = file.take("<I7dI")
            name = file.text()
            seen = np.frombuffer(file.skip(_KEYPOINT.itemsize * file.count()), _KEYPOINT)
            yield key, ColmapImage(name, camera, _pose(pose), seen["xy"], seen["point"])
        return
    # The second line of an image lists its keypoints, and may be empty.
    lines = list(_lines(folder / "images.txt", keep_empty=True))
    for line, keypoints in zip(lines[::2], [*lines[1::2], ""]):
        if not line:
            continue
        key, *pose, camera, name = line.split(maxsplit=9)
        seen = np.array(keypoints.split(), float).reshape(-1, 3)
        place = _pose([float(number) for number in pose])
        yield int(key), ColmapImage(name, int(camera), place, seen[:, :2], seen[:, 2].astype(np.int64))


def _points(folder: Path) -> Iterator[tuple[int, tuple[float, float, float]]]:
    if _is_binary(folder):
        file = _Bytes((folder / "points3D.bin").read_bytes())
        for _ in range(file.count()):
            key, x, y, z = file.take("<Q3d")
            yield key, (x, y, z)
            file.skip(3 + 8)  # colour and error
            file.skip(8 * file.count())
        return
    for line in _lines(folder / "points3D.txt"):
        key, x, y, z, *_rest = line.split()
        yield int(key), (float(x), float(y), float(z))


def _is_binary(folder: Path) -> bool:
    return (folder / "cameras.bin").is_file()


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

    def skip(self, size: int) -> bytes:
        """Return so many bytes, and go on behind them."""
        if size > len(self._data) - self._at:
            raise ValueError("cut short")
        self._at += size
        return self._data[self._at - size : self._at]

    def text(self) -> str:
        """Return the text that comes next, which ends with a zero."""
        start, self._at = self._at, self._data.index(b"\0", self._at) + 1
        return self._data[start : self._at - 1].decode()


def _pose(numbers: list[float]) -> np.ndarray:
    """Return the transform (4, 4) of a quaternion, real part first, and a translation."""
    w, x, y, z, *t = numbers
    transform = np.eye(4)
    transform[:3, :3], transform[:3, 3] = Rotation.from_quat([x, y, z, w]).as_matrix(), t
    return transform
