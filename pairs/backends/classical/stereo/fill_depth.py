"""A positive depth for every pixel: what could not be measured takes after the nearest that could.

The embedded backend's specification, chapter 10.4.
"""

from __future__ import annotations

import cv2
import numpy as np

from masks.fill import extend_nearest

_BLUR_PX = 4.0


def fill_up(inverse_depth: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return inverse depth (H, W) float32, positive everywhere: unchanged where `valid`, elsewhere the blurred extension of what is valid.

    Never zero and never far: the aligner's focal estimate uses every pixel's direction, and a far background would shift the medians of its poses.
    """
    extended = extend_nearest(inverse_depth.astype(np.float32), valid)
    blurred = cv2.GaussianBlur(extended, (0, 0), _BLUR_PX, borderType=cv2.BORDER_REPLICATE)
    return np.where(valid, extended, blurred)
