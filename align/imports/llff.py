"""LLFF's poses_bounds.npy: N x 17 numbers, of photos in the order of their sorted names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from masks.errors import FormatError
from masks.reading import reading
from pairs.views.imported_camera import ImportedCamera, ImportedCameras

_REMEDY = "Give the poses_bounds.npy of these photos."
_COLUMNS = 17


def read_llff(path: Path, photos: Sequence[str]) -> ImportedCameras:
    """Return one camera a photo, by the names of all photos that the file is of.

    Each row is a matrix (3, 5) and two depths: axes of the camera in the world as columns (down, right,
    backwards), its centre, and (height, width, focal in pixels). Raises `FormatError` when there are other
    numbers of rows and photos.
    """
    with reading(path, _REMEDY):
        table = np.load(path, allow_pickle=False)
        if table.ndim != 2 or table.shape[1] != _COLUMNS or table.dtype.kind not in "fiu":
            raise FormatError(f"{path}: holds an array of shape {table.shape}, not (N, 17). {_REMEDY}")
    if len(table) != len(photos):
        raise FormatError(
            f"{path}: holds {len(table)} poses, and there are {len(photos)} photos. They are matched by "
            "order alone: give all photos that the file was made of, and no others."
        )
    table = table.astype(np.float64)
    if not np.isfinite(table).all():
        raise FormatError(f"{path}: holds numbers that are not finite. {_REMEDY}")
    cameras = []
    for k, (name, row) in enumerate(zip(sorted(photos), table)):
        matrix = row[:15].reshape(3, 5)
        down, right, back, centre = matrix[:, :4].T
        height, width, focal = matrix[:, 4]
        place = f"{path}: row {k} ({name})"
        if min(height, width, focal) <= 0 or max(height, width) > 1e6:
            raise FormatError(f"{place}: {width:g}x{height:g} pixels and a focal of {focal:g}. {_REMEDY}")
        pose = np.eye(4)
        pose[:3, :3] = [right, down, -back]
        pose[:3, 3] = -pose[:3, :3] @ centre
        w, h = round(width), round(height)
        K = np.array([[focal, 0, (w - 1) / 2], [0, focal, (h - 1) / 2], [0, 0, 1]])
        cameras.append(ImportedCamera(name, (w, h), K, None, pose, place))
    return ImportedCameras(str(path), "poses_bounds.npy", tuple(cameras))
