"""The foreground of one photo."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from masks.pixelmap import PixelMap, image_to_target


@dataclass(frozen=True, slots=True)
class Mask:
    """Boolean foreground at the resolution of the upright photo, and where it came from."""

    pixels: np.ndarray  # (H, W) bool, True = object
    source: str
    """File name, 'alpha channel', or the name of the program that made it."""

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != bool:
            raise ValueError(f"a mask is a boolean (H, W) array, not {self.pixels.dtype} {self.pixels.shape}")

    @property
    def coverage(self) -> float:
        """Share of the photo that is object, 0 to 1."""
        return float(self.pixels.mean())


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
    # Outside the picture counts as object: where the frame cuts the object there is no silhouette.
    return cv2.erode(pixels.astype(np.uint8), element, borderType=cv2.BORDER_CONSTANT, borderValue=1).astype(
        bool
    )
