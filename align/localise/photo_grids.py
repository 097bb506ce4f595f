"""A photo on the grids that published localisation matches on: the network's standard size, and the photo
reduced to a longest side (docs/localisation.md, "Grids").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from masks.pixelmap import PixelMap, image_to_target
from pairs.matching.crops import FullPhoto
from pairs.matching.standard_sizes import Reduction, Resize, reduce_to, standard_resize


@dataclass(frozen=True, slots=True)
class StandardPhoto:
    """A photo at a standard size of the networks."""

    image: np.ndarray  # (H, W, 3) uint8
    inside: np.ndarray  # (H, W) bool
    resize: Resize


@dataclass(frozen=True, slots=True)
class ReducedPhoto:
    """A photo shrunk to a longest side."""

    photo: FullPhoto
    reduction: Reduction


def at_standard_size(photo: FullPhoto, longest: int) -> StandardPhoto:
    """Return the photo cropped about its centre and scaled to the best standard size."""
    resize = standard_resize(photo.size, longest)
    return StandardPhoto(*_resampled(photo, resize.crop, resize.size), resize)


def reduced(photo: FullPhoto, longest: int | None) -> ReducedPhoto:
    """Return the photo shrunk to a longest side; none leaves it as it is."""
    # What has no intrinsics keeps none: any would serve for the scale of the positions.
    reduction = reduce_to(photo.size, longest, np.eye(3) if photo.K is None else photo.K)
    height, width = photo.size
    image, inside = _resampled(photo, (0, 0, width, height), reduction.size)
    K = None if photo.K is None else reduction.K
    return ReducedPhoto(FullPhoto(photo.name, image, inside, K), reduction)


def _resampled(
    photo: FullPhoto, crop: tuple[int, int, int, int], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop (x, y, width, height) of image and mask at a size (height, width)."""
    height, width = photo.size
    grid = PixelMap((width, height), 1, crop, (size[1], size[0]))
    x, y, w, h = crop
    part = Image.fromarray(photo.image[y : y + h, x : x + w])
    # Triangles as wide as a pixel of the target: bilinear with antialiasing, as published.
    return np.asarray(part.resize(grid.scaled_size, Image.Resampling.BILINEAR)), image_to_target(
        grid, photo.inside
    )
