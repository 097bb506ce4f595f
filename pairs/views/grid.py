"""The grid on which predictions are made: how a photo is cropped and scaled so that its sides are whole
numbers of patches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from masks.errors import ImageError, UserError
from masks.lens import Undistortion
from masks.mask import Mask
from masks.notice import Notice, info
from masks.pixelmap import PixelMap, upright_size

_OBJECT_MARGIN = 0.1
_WORTH_CROPPING = 1.5
"""Times as fine, in each direction, from which photos are cut down to the object: below, depths that are up
to an eighth better do not outweigh twice the time (docs/masks.md, "Cut down to the object")."""


class Cropping(StrEnum):
    """Whether photos are cut down to their mask plus a tenth before scaling."""

    AUTO = "auto"
    """All that are loaded together, or none: where the object comes out half as large again."""
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class GridOptions:
    """Size and shape of the grid."""

    longest: int = 512
    """Longest side; photos are never enlarged."""
    multiple: int = 8
    """Both sides are multiples of this: the anchors' spacing, or a network's patch."""
    crop: Cropping = Cropping.AUTO
    """Whether a small object gets more pixels by leaving out what surrounds it."""

    def __post_init__(self) -> None:
        if self.longest < self.multiple:
            raise UserError(
                f"`longest={self.longest}`: a grid has at least {self.multiple} pixels a side. Give a "
                "larger number, as in 512."
            )


def with_decided_crop(options: GridOptions, masks: Sequence[Mask]) -> tuple[GridOptions, tuple[Notice, ...]]:
    """Return the options with `auto` decided for all photos of these masks together, and what was decided.

    One decision, so that errors in pixels weigh alike in all views.
    """
    if options.crop is not Cropping.AUTO or not masks:
        return options, ()
    gain = float(np.median([_gain(mask, options) for mask in masks]))
    if gain <= _WORTH_CROPPING:
        return replace(options, crop=Cropping.OFF), ()
    text = (
        f"photos are cut down to their masks before scaling, which shows the object {gain:.1f} times as "
        "large (`crop=off` keeps whole photos)."
    )
    return replace(options, crop=Cropping.ON), (info("grid", text),)


def _gain(mask: Mask, options: GridOptions) -> float:
    """Return how many times as large the object is on its grid when its photo is cut down to it."""
    height, width = mask.shape
    left, top, right, bottom = _object_box(mask, width, height, options)
    whole, cut = (
        min(1.0, options.longest / side) for side in (max(mask.shape), max(right - left, bottom - top))
    )
    return cut / whole


def grid_map(
    name: str,
    file_size: tuple[int, int],
    orientation: int,
    mask: Mask | None,
    options: GridOptions,
    undistortion: Undistortion | None = None,
) -> PixelMap:
    """Return the map from a photo's file to its grid; a mask is that of the ideal picture. Only `on` cuts it
    down to the object: `auto` is decided for many photos together.

    The crop is centred and at most a few pixels wide beyond what the multiple needs, chosen so that both
    directions are scaled alike: a grid whose pixels are not square would have two focals. Raises `ImageError`
    when the photo has fewer pixels than one patch.
    """
    w, h = upright_size(file_size, orientation) if undistortion is None else undistortion.ideal_size
    x0, y0, x1, y1 = 0, 0, w, h
    if options.crop is Cropping.ON and mask is not None:
        x0, y0, x1, y1 = _object_box(mask, w, h, options)
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


def _object_box(mask: Mask, w: int, h: int, options: GridOptions) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the object plus a margin, inside the photo; the whole photo when
    the mask is empty.
    """
    pixels = mask.pixels
    columns, rows = np.flatnonzero(pixels.any(0)), np.flatnonzero(pixels.any(1))
    if len(columns) == 0:
        return 0, 0, w, h
    longer = int(max(columns[-1] - columns[0], rows[-1] - rows[0])) + 1
    margin = int(_OBJECT_MARGIN * (longer - 1)) + 1
    # However thin the object, its grid is one multiple wide.
    least = max(options.multiple, -(-(longer + 2 * margin) * options.multiple // options.longest))
    left, right = _stretch(int(columns[0]) - margin, int(columns[-1]) + 1 + margin, least, w)
    top, bottom = _stretch(int(rows[0]) - margin, int(rows[-1]) + 1 + margin, least, h)
    return left, top, right, bottom


def _stretch(low: int, high: int, least: int, size: int) -> tuple[int, int]:
    """Return the stretch from `low` to `high` inside a side of the photo, at least `least` long where the
    photo is.
    """
    low -= max(0, least - (high - low)) // 2
    low = max(0, min(low, size - least))
    return low, min(size, max(high, low + least))
