"""`cameras.json`: cameras of photographs for other programs, and its strict reader.

A list of {"file", "width", "height", "K", "R", "t"}: OpenCV axes, x_cam = R x_world + t, pixels of the
upright photo, pixel centres at integers. A photo with a lens has "model" and "distortion" as well: COLMAP's
name and order of coefficients, without the focal and the principal point, which are in K. Numbers are written
with as many digits as a float64 needs to come back bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from masks.disk.whole_file import write_whole
from masks.errors import FormatError
from masks.lens import Lens
from masks.reading import read_json, shown

_ROTATION_TOLERANCE = 1e-6  # largest entry of R R^T - 1: room for files written with seven digits
# Numbers outside are no photo's, and no figure could be computed with them.
_MOST_SIDE, _LEAST_FOCAL, _LARGEST = 1_000_000, 1e-6, 1e30
_KEYS = ("file", "width", "height", "K", "R", "t")


@dataclass(frozen=True, slots=True)
class PhotoCamera:
    """Where one photo was taken and through which lens."""

    file: str
    """Name of the photo's file."""
    width: int
    """Pixels of the upright photo."""
    height: int
    """Pixels of the upright photo."""
    K: np.ndarray  # (3, 3), pixels of the upright photo
    R_cam_from_world: np.ndarray  # (3, 3)
    t_cam_from_world: np.ndarray  # (3,)
    lens: Lens | None = None
    """Distortion of the photo, in normalised coordinates of K; none for a pinhole."""

    @property
    def cam_from_world(self) -> np.ndarray:
        """(4, 4) rigid transform."""
        transform = np.eye(4)
        transform[:3, :3], transform[:3, 3] = self.R_cam_from_world, self.t_cam_from_world
        return transform


def write_cameras(path: Path, cameras: Sequence[PhotoCamera]) -> None:
    """Write cameras in the given order, one entry a line."""
    entries = [
        json.dumps(
            {
                "file": camera.file,
                "width": int(camera.width),
                "height": int(camera.height),
                "K": np.asarray(camera.K, np.float64).tolist(),
                "R": np.asarray(camera.R_cam_from_world, np.float64).tolist(),
                "t": np.asarray(camera.t_cam_from_world, np.float64).tolist(),
            }
            | _stated_lens(camera.lens),
            allow_nan=False,
            ensure_ascii=not _is_text(camera.file),
        )
        for camera in cameras
    ]
    write_whole(path, ("[\n" + ",\n".join(entries) + "\n]\n").encode())


def read_cameras(path: Path) -> tuple[PhotoCamera, ...]:
    """Read and check cameras. Raises `FormatError` naming the file, the entry, what is wrong with it and what
    is right.
    """
    entries = read_json(path, "Give the cameras.json of a reconstruction.")
    if not isinstance(entries, list):
        raise FormatError(
            f"{path}: holds {shown(entries)}, not a list. cameras.json is a list with one entry per photo: "
            "give one that pointloom export has written."
        )
    cameras = tuple(_camera(entry, f"{path}: entry {k}") for k, entry in enumerate(entries))
    seen: set[str] = set()
    for k, camera in enumerate(cameras):
        if camera.file in seen:
            raise FormatError(
                f"{path}: entry {k} names {camera.file} a second time. Keep one camera per photo."
            )
        seen.add(camera.file)
    return cameras


def _is_text(name: str) -> bool:
    """Tell whether a name can be written as UTF-8: names of files need not be text, and are escaped then."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _camera(entry: object, where: str) -> PhotoCamera:
    if not isinstance(entry, dict):
        raise FormatError(f"{where} is not an object. Each entry needs the keys {', '.join(_KEYS)}.")
    missing = [key for key in _KEYS if key not in entry]
    if missing:
        raise FormatError(
            f"{where} lacks {', '.join(missing)}. Each entry needs the keys {', '.join(_KEYS)}."
        )
    if not isinstance(entry["file"], str) or not entry["file"]:
        raise FormatError(f"{where}: file is {shown(entry['file'])}. Give the name of the photo's file.")
    where = f"{where} ({entry['file'][:80]})"
    width, height = entry["width"], entry["height"]
    if not all(type(size) is int and 0 < size <= _MOST_SIDE for size in (width, height)):
        raise FormatError(
            f"{where}: width and height are {shown(width)} and {shown(height)}. Give the photo's size in "
            "whole pixels."
        )
    K, R, t = (
        _array(entry, "K", (3, 3), where),
        _array(entry, "R", (3, 3), where),
        _array(entry, "t", (3,), where),
    )
    if min(K[0, 0], K[1, 1]) < _LEAST_FOCAL or K[1, 0] != 0 or (K[2] != (0, 0, 1)).any():
        raise FormatError(
            f"{where}: K is not a pinhole's. Give [[fx, s, cx], [0, fy, cy], [0, 0, 1]] in pixels, fx and "
            "fy positive."
        )
    if np.abs(R @ R.T - np.eye(3)).max() > _ROTATION_TOLERANCE or np.linalg.det(R) < 0:
        raise FormatError(
            f"{where}: R is not a rotation. Give the 3x3 rotation of cam_from_world (orthonormal, "
            "determinant +1, six digits or more)."
        )
    return PhotoCamera(entry["file"], width, height, K, R, t, _lens(entry, where))


def _stated_lens(lens: Lens | None) -> dict[str, object]:
    return {} if lens is None else {"model": lens.model, "distortion": list(lens.coefficients)}


def _lens(entry: dict[str, object], where: str) -> Lens | None:
    model = entry.get("model", "PINHOLE")
    if not isinstance(model, str):
        raise FormatError(f"{where}: model is {shown(model)}. Give the name of a lens model, or omit it.")
    if model == "PINHOLE":
        if entry.get("distortion", []) != []:
            raise FormatError(f"{where}: distortion without a model. Name it: SIMPLE_RADIAL, RADIAL, OPENCV.")
        return None
    stated = entry.get("distortion")
    if not isinstance(stated, list) or not all(type(number) in (int, float) for number in stated):
        raise FormatError(f"{where}: distortion is {shown(stated)}. Give the coefficients of {model[:40]}.")
    try:
        return Lens(model[:40], tuple(float(number) for number in stated))
    except (FormatError, OverflowError) as error:
        raise FormatError(f"{where}: {error}") from None


def _array(entry: dict[str, object], key: str, shape: tuple[int, ...], where: str) -> np.ndarray:
    wanted = "x".join(map(str, shape))
    try:
        value = np.array(entry[key], np.float64)
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"{where}: {key} does not hold numbers alone. Give {wanted} numbers.") from error
    if value.shape != shape:
        raise FormatError(f"{where}: {key} has shape {value.shape}. Give {wanted} numbers.")
    if not (np.abs(value) < _LARGEST).all():
        raise FormatError(
            f"{where}: {key} holds a number that is not finite, or far too large. Leave out photos whose "
            "camera is unknown."
        )
    return value
