"""Fewer pixels of a picture that tell what all of them would: every so many, its border, a small copy."""

from __future__ import annotations

import cv2
import numpy as np

_LONGEST = 1024


def sparse(pixels: np.ndarray, longest: int = _LONGEST) -> np.ndarray:
    """Return every so many pixels (h, w, ...) of a picture, none mixed with its neighbours."""
    step = max(1, -(-max(pixels.shape[:2]) // longest))
    return pixels[step // 2 :: step, step // 2 :: step]


def border_of(pixels: np.ndarray) -> np.ndarray:
    """Return the outermost pixels (n, ...) of a picture (H, W, ...); corners twice."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def small(pixels: np.ndarray, longest: int) -> np.ndarray:
    """Return a picture (H, W, ...) of 8 bits or of floats whose longer side is `longest` at most, areas
    averaged.
    """
    height, width = pixels.shape[:2]
    factor = min(1.0, longest / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)
