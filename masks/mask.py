"""The foreground of one photo."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from masks.pixelmap import PixelMap, image_to_target

_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1, dtype=np.uint8)
"""How many bits of each byte are set."""


@dataclass(frozen=True, slots=True, init=False)
class Mask:
    """Boolean foreground at the resolution of the upright photo, and where it came from.

    It is held as bits: the masks of all photos stay in memory at full size, 6 MB for one of 48 megapixels.
    """

    bits: np.ndarray  # (ceil(H W / 8),) uint8, row by row, the first pixel highest
    shape: tuple[int, int]
    """(height, width)."""
    source: str
    """File name, 'alpha channel', or the name of the program that made it."""

    def __init__(self, pixels: np.ndarray, source: str) -> None:
        """Hold the object's pixels (H, W) bool."""
        if pixels.ndim != 2 or pixels.dtype != bool:
            raise ValueError(f"a mask is a boolean (H, W) array, not {pixels.dtype} {pixels.shape}")
        object.__setattr__(self, "bits", np.packbits(pixels))
        object.__setattr__(self, "shape", pixels.shape)
        object.__setattr__(self, "source", source)

    @property
    def pixels(self) -> np.ndarray:
        """(H, W) bool, True = object: a new array each time."""
        height, width = self.shape
        return np.unpackbits(self.bits, count=height * width).view(bool).reshape(height, width)

    @property
    def coverage(self) -> float:
        """Share of the photo that is object, 0 to 1."""
        # The bits after the last pixel are zeros.
        return int(_ONES[self.bits].sum()) / (self.shape[0] * self.shape[1])


def mask_on_grid(mask: Mask, grid_from_photo: PixelMap) -> np.ndarray:
    """Return the mask (H, W) on a grid: true where at least half of the pixel's area is object. Padding is
    background.
    """
    return image_to_target(grid_from_photo, mask.pixels)


def shrunk(pixels: np.ndarray, radius_px: int, shape: int = cv2.MORPH_RECT) -> np.ndarray:
    """Return a mask's pixels (H, W) without a rim of `radius_px`, by one of OpenCV's shapes. The picture's
    border is no rim.
    """
    element = cv2.getStructuringElement(shape, (2 * radius_px + 1, 2 * radius_px + 1))
    # Outside the picture counts as object: where the frame cuts the object there is no silhouette, hence no
    # rim to take off.
    return cv2.erode(pixels.astype(np.uint8), element, borderType=cv2.BORDER_CONSTANT, borderValue=1).astype(
        bool
    )


def box_around(pixels: np.ndarray, margin_px: int) -> tuple[int, int, int, int]:
    """Return (left, top, width, height) of the box around a mask (H, W) that is not empty, with a margin that
    ends at the picture's.
    """
    rows, columns = (np.flatnonzero(pixels.any(axis)) for axis in (1, 0))
    top, left = max(int(rows[0]) - margin_px, 0), max(int(columns[0]) - margin_px, 0)
    bottom, right = (
        min(int(found[-1]) + 1 + margin_px, size) for found, size in zip((rows, columns), pixels.shape)
    )
    return left, top, right - left, bottom - top


def border_share(mask: np.ndarray) -> float:
    """Return which share of the picture's border is true in a mask (H, W)."""
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())


def distance_to_outline(pixels: np.ndarray) -> np.ndarray:
    """Return the distance (H, W) float32 in pixels from the outline of a mask's pixels (H, W), negative on
    the
    object.
    """
    inside = pixels.astype(np.uint8)
    # Pixel centres are not edges: the outline runs half a pixel from either side.
    to_object = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    to_backdrop = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.where(inside > 0, 0.5 - to_backdrop, to_object - 0.5).astype(np.float32)


def holds(pixels: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Return which positions (N, 2) lie on the object of a mask's pixels (H, W): the nearest pixel counts;
    NaN and what is outside the picture do not.
    """
    h, w = pixels.shape
    # Comparisons that NaN fails. The far edge belongs to the last pixel, which rounding to even would miss.
    inside = np.all((xy >= -0.5) & (xy <= (w - 0.5, h - 0.5)), axis=1)
    x, y = np.rint(np.where(inside[:, None], xy, 0)).astype(int).T
    return inside & pixels[np.minimum(y, h - 1), np.minimum(x, w - 1)]
