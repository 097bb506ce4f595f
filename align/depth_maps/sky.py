"""Which pixels of a photo are sky (docs/dense_alignment.md, "Sky")."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

_BLUE = ((0, 0, 100), (30, 255, 255))
"""Least and greatest hue, saturation and value, inclusive."""
_PALE = ((10, 150), (30, 180), (50, 220))
"""Below such a saturation and above such a value a pixel is a cloud or haze."""
_OPENING = np.ones((5, 5), bool)


def sky_pixels(image: np.ndarray) -> np.ndarray:
    """Return the sky (H, W) bool of an RGB image (H, W, 3) uint8, by its colours: blue, or bright and pale,
    in the largest connected areas.
    """
    # The colours are read in the wrong order, as in the published code, for which the thresholds are made:
    # blue has a hue near 0.
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    sky = cv2.inRange(hsv, np.array(_BLUE[0]), np.array(_BLUE[1])) > 0
    for saturation, value in _PALE:
        sky |= (hsv[..., 1] < saturation) & (hsv[..., 2] > value)
    sky = ndimage.binary_opening(sky, _OPENING)
    count, label, facts, _ = cv2.connectedComponentsWithStats(sky.astype(np.uint8), connectivity=8)
    if count == 1:  # only what is no sky
        return sky
    area = facts[:, cv2.CC_STAT_AREA]
    large = area > area[1:].max() / 2
    large[0] = False
    return large[label]
