"""Photos as VGGT wants them (docs/vggt.md, "Images"): sizes to the pixel, and masks and intrinsics that
follow by `PixelMap`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from masks.errors import ImageError
from masks.fill import Fill
from masks.pixelmap import PixelMap, upright_size
from pairs.views.digest import digest
from pairs.views.photos import filled_photo, load_photo
from pairs.views.view import View, grid_parts

WHITE = 255
"""What stands around an image that is smaller than the others of its scene; the square loader pads with black
instead."""


@dataclass(frozen=True, slots=True)
class VggtGrid:
    """Which images the network sees."""

    mode: Literal["crop", "pad"] = "crop"
    """Every photo gets the full width and a tall one loses its top and bottom; or every photo is whole in a
    white square."""
    size: int = 518
    """The longest side; the network was trained with no longer one."""
    patch: int = 14
    """Both sides are multiples of it."""


def vggt_map(name: str, file_size: tuple[int, int], orientation: int, grid: VggtGrid) -> PixelMap:
    """Return the map from a photo's file to its image, before the images of a scene are brought to one size.

    Sides are rounded to whole patches, which changes the proportions by half a patch at most. Raises
    `ImageError` where nothing is left.
    """
    w, h = upright_size(file_size, orientation)
    if grid.mode == "crop" or w >= h:
        new_w, new_h = grid.size, _whole_patches(h, w, grid)
    else:
        new_w, new_h = _whole_patches(w, h, grid), grid.size
    if min(new_w, new_h) == 0:
        raise ImageError(
            f"{name}: {w}x{h} pixels become less than one patch of {grid.patch} high or wide when the long "
            f"side is brought to {grid.size}. "
            "Cut the photo to less extreme proportions."
        )
    trim, pad = (0, 0, 0, 0), (0, 0, 0, 0)
    if new_h > grid.size:
        top = (new_h - grid.size) // 2
        trim = (0, top, 0, new_h - grid.size - top)
    elif grid.mode == "pad":
        pad = _bars((new_w, new_h), (grid.size, grid.size))
    return PixelMap(file_size, orientation, (0, 0, w, h), (new_w, new_h), pad, trim)


def _whole_patches(side: int, full: int, grid: VggtGrid) -> int:
    """Return the new length of a side when side `full` becomes the grid's size."""
    # The quotient comes first, and halves are rounded to even: other orders of the same operations give other
    # sizes now and then.
    return grid.patch * round(side * (grid.size / full) / grid.patch)


def _bars(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the pixels to add at (left, top, right, bottom)."""
    spare_w, spare_h = target[0] - size[0], target[1] - size[1]
    return (spare_w // 2, spare_h // 2, spare_w - spare_w // 2, spare_h - spare_h // 2)


def common_size(maps: Sequence[PixelMap]) -> tuple[PixelMap, ...]:
    """Return maps to images of one size, the largest width and the largest height of all; smaller images get
    bars.
    """
    sizes = [pixel_map.target_size for pixel_map in maps]
    target = (max(w for w, _ in sizes), max(h for _, h in sizes))
    padded = []
    for pixel_map, size in zip(maps, sizes):
        left, top, right, bottom = (old + new for old, new in zip(pixel_map.pad, _bars(size, target)))
        padded.append(replace(pixel_map, pad=(left, top, right, bottom)))
    return tuple(padded)


def photo_on_grid(photo: np.ndarray, pixel_map: PixelMap) -> np.ndarray:
    """Return the image (H, W, 3) uint8 of an upright photo (H, W, 3) uint8, resampled as published."""
    resized = np.asarray(Image.fromarray(photo).resize(pixel_map.scaled_size, Image.Resampling.BICUBIC))
    left, top, _, _ = pixel_map.trim
    w, h = pixel_map.kept_size
    left_bar, top_bar, right_bar, bottom_bar = pixel_map.pad
    bars = ((top_bar, bottom_bar), (left_bar, right_bar), (0, 0))
    return np.pad(resized[top : top + h, left : left + w], bars, constant_values=WHITE)


def on_vggt_grid(views: Sequence[View], grid: VggtGrid) -> tuple[View, ...]:
    """Return the views with the network's images of their photos, all of one size; masks, intrinsics and
    poses follow by the pixel maps.

    Photos are upright here, while the published loader leaves them as their files store them. Raises
    `ImageError` when a photo is gone or changed, or its proportions leave no whole patches.
    """
    maps = common_size([view.pixel_map.onto(vggt_map(view.name, view.photo_size, 1, grid)) for view in views])
    placed = []
    for view, pixel_map in zip(views, maps):
        # The image is resampled otherwise than that of a view loaded with the same pixel map, so its key
        # differs as well.
        key = digest("vggt image", view.photo_key, *grid_parts(pixel_map))
        placed.append(
            replace(view, image=photo_on_grid(load_photo(view), pixel_map), pixel_map=pixel_map, grid_key=key)
        )
    return tuple(placed)


def vggt_input(views: Sequence[View], fill: Fill | None = None) -> Tensor:
    """Return what the network sees (S, 3, H, W) float32 in [0, 1] of views on one grid.

    With a fill the background is replaced in the photos before they are resized, so that none of it is mixed
    into the object's rim.
    """
    return stacked([_seen(view, fill) for view in views])


def _seen(view: View, fill: Fill | None) -> np.ndarray:
    return (
        view.image
        if fill is None or view.mask is None
        else photo_on_grid(filled_photo(view, fill), view.pixel_map)
    )


def stacked(images: Sequence[np.ndarray]) -> Tensor:
    """Return images (H, W, 3) uint8 of one size as (S, 3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).astype(np.float32)) / 255


def opaque(picture: np.ndarray) -> np.ndarray:
    """Return a picture (H, W), (H, W, 3) or (H, W, 4) uint8 as (H, W, 3): grey on all channels, transparent
    parts over white.
    """
    image = Image.fromarray(picture)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, (WHITE, WHITE, WHITE, WHITE)), image)
    return np.asarray(image.convert("RGB"))


@dataclass(frozen=True, slots=True)
class SquareFrame:
    """Where a photo lies in its square image (docs/vggt.md, "Images"), in pixels of the square.

    Its bars are resized with it and need not be whole pixels, so it is no `PixelMap`. For parity with the
    published square loader; no command uses it.
    """

    left: float
    top: float
    right: float
    bottom: float
    photo_size: tuple[int, int]
    """(width, height)"""


def square_image(photo: np.ndarray, side: int = 1024) -> tuple[np.ndarray, SquareFrame]:
    """Return a photo (H, W, 3) uint8 in the middle of a black square, resized to `side` pixels, and where it
    lies in it.
    """
    h, w = photo.shape[:2]
    longest = max(w, h)
    left, top, right, bottom = _bars((w, h), (longest, longest))
    canvas = np.pad(photo, ((top, bottom), (left, right), (0, 0)))
    scale = side / longest
    frame = SquareFrame(left * scale, top * scale, (left + w) * scale, (top + h) * scale, (w, h))
    return np.asarray(Image.fromarray(canvas).resize((side, side), Image.Resampling.BICUBIC)), frame
