"""COLMAP's cameras, of a model or of cameras.txt alone, as imported cameras."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from align.export.colmap_reader import ColmapCamera, has_images, read_lenses, read_placed_images
from align.imports.coefficients import lens_of
from masks.errors import FormatError
from masks.lens import Lens
from pairs.views.imported_camera import ImportedCamera, ImportedCameras

_HALF = 0.5
"""COLMAP's first pixel centre; ours is 0."""
_PERSPECTIVE = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")
"""Whose further parameters are, in this order, the first of k1 k2 p1 p2 k3 k4 k5 k6."""


def read_colmap_cameras(folder: Path, source: Path | None = None) -> ImportedCameras:
    """Return the cameras of a model's images, with poses; of a folder without images its cameras, each for
    all photos of its size.

    Raises `FormatError` for a damaged file, and for a camera that a lens of ours does not have.
    """
    source = source or folder
    lenses = read_lenses(folder)
    images = read_placed_images(folder) if has_images(folder) else {}
    if not images:
        cameras = [
            _imported(lens, "", None, f"{source}: camera {key}") for key, lens in sorted(lenses.items())
        ]
        return ImportedCameras(str(source), "COLMAP cameras", tuple(cameras))
    cameras = []
    for _, image in sorted(images.items()):
        place = f"{source}: image {image.name} (camera {image.camera})"
        if image.camera not in lenses:
            raise FormatError(f"{place}: there is no such camera. Write the model again.")
        cameras.append(_imported(lenses[image.camera], image.name, image.cam_from_world, place))
    return ImportedCameras(str(source), "COLMAP model", tuple(cameras))


def pinhole_and_lens(camera: ColmapCamera, place: str) -> tuple[np.ndarray, Lens | None]:
    """Return K (3, 3), pixel centres at integers, and the lens of a COLMAP camera. Raises `FormatError` for a
    model other than the perspective ones.
    """
    if camera.model not in _PERSPECTIVE:
        raise FormatError(
            f"{place}: its camera is a {camera.model}. Undistort the photos first, or fit one of "
            f"{', '.join(_PERSPECTIVE)}."
        )
    K = camera.K
    K[:2, 2] -= _HALF
    return K, lens_of(camera.params[camera.num_pinhole :], place)


def _imported(camera: ColmapCamera, name: str, pose: np.ndarray | None, place: str) -> ImportedCamera:
    K, lens = pinhole_and_lens(camera, place)
    return ImportedCamera(name, camera.size, K, lens, pose, place)
