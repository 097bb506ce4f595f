"""Photos as the published networks want them (docs/pair_networks.md, "Images and grids").

The arithmetic of sizes is the published loader's to the pixel; masks and intrinsics follow through the view's
`PixelMap`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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

_SMALL = 224
"""The size whose images are squares, cut from photos that are resized to this short side."""


@dataclass(frozen=True, slots=True)
class NetworkGrid:
    """Which images a network was trained on."""

    size: int = 512
    """Long side of the resized photo; 224 stands for squares of 224."""
    square_ok: bool = False
    """Leave square photos square; else they are cut to 4:3, because the 512 networks were trained without
    squares."""
    patch: int = 16
    """Both sides are multiples of it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is left of a photo: it is resized as a whole, then cropped."""

    resized: tuple[int, int]
    """(width, height) of the resized photo."""
    box: tuple[int, int, int, int]
    """(left, top, right, bottom) of the crop, exclusive; empty when a side is shorter than a patch."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the image."""
        return (self.box[2] - self.box[0], self.box[3] - self.box[1])


def network_frame(photo_size: tuple[int, int], grid: NetworkGrid) -> Frame:
    """Return the published frame for an upright photo of (width, height).

    A square photo and an odd patch give a height that is no multiple of the patch, unless squares may stay
    square.
    """
    longest = round(_SMALL * max(photo_size) / min(photo_size)) if grid.size == _SMALL else grid.size
    w, h = (round(side * longest / max(photo_size)) for side in photo_size)
    centre_x, centre_y = w // 2, h // 2
    if grid.size == _SMALL:
        half_w = half_h = float(min(centre_x, centre_y))
    else:
        # Half of the largest whole number of patches on either side of the integer middle, as the published
        # loader cuts.
        half_w, half_h = (2 * centre // grid.patch * grid.patch / 2 for centre in (centre_x, centre_y))
        if not grid.square_ok and w == h:
            half_h = 3 * half_w / 4
    # Half a pixel is rounded to the even side, by Pillow as by Python.
    box = (
        round(centre_x - half_w),
        round(centre_y - half_h),
        round(centre_x + half_w),
        round(centre_y + half_h),
    )
    return Frame((w, h), box)


def network_map(name: str, file_size: tuple[int, int], orientation: int, grid: NetworkGrid) -> PixelMap:
    """Return the map from a photo's file to the network's image.

    Raises `ImageError` where the published frame has sides that are no whole number of patches, or none at
    all.
    """
    upright = upright_size(file_size, orientation)
    frame = network_frame(upright, grid)
    if min(frame.size) < grid.patch or any(side % grid.patch for side in frame.size):
        w, h = frame.size
        raise ImageError(
            f"{name}: {upright[0]}x{upright[1]} pixels would become an image of {w}x{h}, and the network "
            f"needs whole patches of {grid.patch} a side. "
            "Cut the photo to less extreme proportions; a square one to 4:3."
        )
    (w, h), (left, top, right, bottom) = frame.resized, frame.box
    return PixelMap(file_size, orientation, (0, 0, *upright), (w, h), trim=(left, top, w - right, h - bottom))


def on_network_grid(view: View, grid: NetworkGrid) -> View:
    """Return the view with the network's image of its photo; mask, intrinsics and pose follow by the pixel
    map.

    Raises `ImageError` when the photo is gone or changed, or its proportions leave no whole patches.
    """
    pixel_map = view.pixel_map.onto(network_map(view.name, view.photo_size, 1, grid))
    # The image is resampled otherwise than that of a view loaded with the same pixel map, so its key differs
    # as well.
    key = digest("network image", view.photo_key, *grid_parts(pixel_map))
    return replace(view, image=photo_on_grid(load_photo(view), pixel_map), pixel_map=pixel_map, grid_key=key)


def photo_on_grid(photo: np.ndarray, pixel_map: PixelMap) -> np.ndarray:
    """Return the network's image (H, W, 3) uint8 of an upright photo (H, W, 3) uint8, resampled as
    published.
    """
    # The published loader's filters: another one changes every pixel that the weights see.
    shrinking = max(pixel_map.ideal_size) > max(pixel_map.scaled_size)
    resampling = Image.Resampling.LANCZOS if shrinking else Image.Resampling.BICUBIC
    resized = np.asarray(Image.fromarray(photo).resize(pixel_map.scaled_size, resampling))
    left, top, _, _ = pixel_map.trim
    w, h = pixel_map.kept_size
    return np.ascontiguousarray(resized[top : top + h, left : left + w])


def network_input(view: View, fill: Fill | None = None) -> Tensor:
    """Return what the network sees (1, 3, H, W) float32 in [-1, 1] of a view on its grid.

    With a fill the background is replaced in the photo before it is resized, so that none of it is mixed into
    the object's rim.
    """
    if fill is None or view.mask is None:
        return normalised(view.image)
    return normalised(photo_on_grid(filled_photo(view, fill), view.pixel_map))


def normalised(image: np.ndarray) -> Tensor:
    """Return an image (H, W, 3) uint8 as (1, 3, H, W) float32 in [-1, 1]."""
    # Divided, doubled, shifted, in this order as published: each step rounds.
    levels = image.transpose(2, 0, 1)[None].astype(np.float32)
    return torch.from_numpy(levels) / 255 * 2 - 1
