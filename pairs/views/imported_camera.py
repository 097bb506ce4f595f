"""Cameras of photos as files of other programs state them, in this program's conventions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from masks.errors import FormatError
from masks.lens import Lens
from masks.notice import Notice
from masks.pixelmap import PixelMap, identity, intrinsics_to_target


@dataclass(frozen=True, slots=True, eq=False)
class ImportedCamera:
    """One photo's camera: OpenCV axes, pixel centres at integers."""

    file: str
    """Name of the photo as it is stated, with its folders; empty: a camera of all photos of its size."""
    size: tuple[int, int]
    """(width, height) of the photo that it is stated for."""
    K: np.ndarray  # (3, 3), pixels of a photo of that size
    lens: Lens | None
    """Distortion, in normalised coordinates of K; none for a pinhole."""
    cam_from_world: np.ndarray | None  # (4, 4)
    """Pose, where one is stated."""
    place: str
    """Where it stands, for messages: the file and the entry."""


@dataclass(frozen=True, slots=True, eq=False)
class ImportedCameras:
    """All cameras that a file or folder states."""

    source: str
    """The file or folder, as it was given."""
    kind: str
    """What it is, in words."""
    cameras: tuple[ImportedCamera, ...]
    notices: tuple[Notice, ...] = ()
    """What reading decided or left aside."""


def turned(camera: ImportedCamera, orientation: int) -> ImportedCamera:
    """Return the camera of the upright photo from that of its file as stored, by the EXIF orientation."""
    turn = identity(camera.size, orientation)
    axes = turn.axes_turn
    lens, pose = camera.lens, camera.cam_from_world
    if lens is not None and len(lens.coefficients) >= 4:
        k1, k2, p1, p2, *further = lens.coefficients
        # The tangential part is r^2 t + 2 (t.x) x with t = (p2, p1): a vector, which turns with the axes.
        p2, p1 = (axes[:2, :2] @ (p2, p1)).tolist()
        lens = Lens(lens.model, (k1, k2, p1, p2, *further))
    if pose is not None and orientation in _ROTATIONS:
        pose = np.block([[axes @ pose[:3, :3], (axes @ pose[:3, 3])[:, None]], [np.eye(4)[3:]]])
    elif pose is not None:
        raise FormatError(
            f"{camera.place}: the photo's EXIF mirrors it, and no camera is posed so. Save it unmirrored."
        )
    K = intrinsics_to_target(turn, camera.K)
    return replace(camera, size=turn.upright_size, K=K, lens=lens, cam_from_world=pose)


_ROTATIONS = (1, 3, 6, 8)
"""EXIF orientations that do not mirror."""


def resized(camera: ImportedCamera, size: tuple[int, int]) -> ImportedCamera:
    """Return the camera of the same photo at another size (width, height): x becomes (x + 1/2) s - 1/2."""
    w, h = camera.size
    K = intrinsics_to_target(PixelMap(camera.size, 1, (0, 0, w, h), size), camera.K)
    return replace(camera, size=size, K=K)
