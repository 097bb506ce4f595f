"""The grid on which predictions are made: how a photo is cropped and scaled so that its sides are whole
numbers of patches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from masks.errors import ImageError, UserError
from masks.lens import Undistortion
from masks.mask import Mask
from masks.pixelmap import PixelMap, upright_size

_OBJECT_MARGIN = 0.1


@dataclass(frozen=True, slots=True)
class GridOptions:
    """Size and shape of the grid."""

    longest: int = 512
    """Longest side; photos are never enlarged."""
    multiple: int = 8
    """Both sides are multiples of this: the anchors' spacing, or a network's patch."""
    crop_to_object: bool = False
    """Cut the photo down to its mask plus a tenth before scaling, so that a small object gets more pixels."""

    def __post_init__(self) -> None:
        if self.longest < self.multiple:
            raise UserError(
                f"`longest={self.longest}`: a grid has at least {self.multiple} pixels a side. Give a "
                "larger number, as in 512."
            )


def grid_map(
    name: str,
    file_size: tuple[int, int],
    orientation: int,
    mask: Mask | None,
    options: GridOptions,
    undistortion: Undistortion | None = None,
) -> PixelMap:
    """Return the map from a photo's file to its grid; a mask is that of the ideal picture.

    The crop is centred and at most a few pixels wide beyond what the multiple needs, chosen so that both
    directions are scaled alike: a grid whose pixels are not square would have two focals. Raises `ImageError`
    when the photo has fewer pixels than one patch.
    """
    w, h = upright_size(file_size, orientation) if undistortion is None else undistortion.ideal_size
    x0, y0, x1, y1 = _object_box(mask, w, h) if options.crop_to_object and mask is not None else (0, 0, w, h)
    w, h = x1 - x0, y1 - y0
    shrink = min(1.0, options.longest / max(w, h))
    # The quotient of two equal lengths may come out a rounding below a whole number of pixels, which would
    # cost a whole patch.
    grid_w, grid_h = (int(side * shrink + 1e-6) // options.multiple * options.multiple for side in (w, h))
    if min(grid_w, grid_h) == 0:
        raise ImageError(
            f"{name}: {w}x{h} pixels are too few (at least {options.multiple} a side are needed). Use the "
            "photo at its full size."
        )
    crop_w, crop_h = _even_crop(w, h, grid_w, grid_h)
    crop = (x0 + (w - crop_w) // 2, y0 + (h - crop_h) // 2, crop_w, crop_h)
    return PixelMap(file_size, orientation, crop, (grid_w, grid_h), undistortion=undistortion)


def _even_crop(w: int, h: int, grid_w: int, grid_h: int) -> tuple[int, int]:
    """Return the largest crop of (w, h) with nearly the grid's aspect ratio; up to 1 % of the width is tried
    to make it exact.
    """
    best, best_error = (w, h), np.inf
    widest = min(w, int(h * grid_w / grid_h + 0.5))
    for crop_w in range(widest, max(grid_w, widest - max(8, w // 100)) - 1, -1):
        crop_h = min(h, round(crop_w * grid_h / grid_w))
        error = abs(crop_w * grid_h / (crop_h * grid_w) - 1)
        if error < best_error - 1e-12:
            best, best_error = (crop_w, crop_h), error
    return best


def _object_box(mask: Mask, w: int, h: int) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the object plus a margin, inside the photo; the whole photo when
    the mask is empty.
    """
    columns, rows = np.flatnonzero(mask.pixels.any(0)), np.flatnonzero(mask.pixels.any(1))
    if len(columns) == 0:
        return 0, 0, w, h
    margin = int(_OBJECT_MARGIN * max(columns[-1] - columns[0], rows[-1] - rows[0])) + 1
    left, right, top, bottom = (int(v) for v in (columns[0], columns[-1] + 1, rows[0], rows[-1] + 1))
    return max(0, left - margin), max(0, top - margin), min(w, right + margin), min(h, bottom + margin)
