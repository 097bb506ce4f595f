"""What stands in a photo's background before anything looks at it.

Every fill but `keep` reads foreground pixels alone, so changing the background of a photo cannot change one
bit of what is computed from the filled picture. Fill at the photo's full resolution: a resize afterwards may
mix pixels across the silhouette without letting the background in.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from masks.errors import UserError
from masks.mask import shrunk

Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From a picture (H, W, 3) uint8 and its mask (H, W) bool to the filled picture; the object's pixels stay as
they are."""

GREY = 127
"""The constant that carries no colour; also the fill of a picture whose mask is empty."""

# At the networks' 512 pixels this is 16: one patch.
_BLUR_SHARE = 1 / 32
"""Standard deviation of the wide blur as a share of the picture's longest side."""


def keep(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the picture as it was photographed."""
    return image


def constant(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Paint the background mid-grey."""
    return _outside(image, mask, np.uint8(GREY))


def mean(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Paint the background in the object's mean colour."""
    return _outside(image, mask, _mean_colour(image, mask))


def blur(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Let the object's colours fade outwards into their mean."""
    if not mask.any():
        return constant(image, mask)
    sigma = _BLUR_SHARE * max(mask.shape)
    weight = mask.astype(np.float32)
    spread = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
    colours = cv2.GaussianBlur(image * weight[..., None], (0, 0), sigma)
    # Far from the object the spread weight underflows; a thousandth of the mean colour keeps the quotient
    # defined and decides there.
    faded = (colours + 1e-3 * _mean_colour(image, mask)) / (spread + 1e-3)
    return _outside(image, mask, _to_uint8(faded))


def nearest(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Extend the object outwards by the colour of its nearest pixel, slightly smoothed
    (docs/masks.md, "Fills").

    Unlike a constant it makes no false edge along the silhouette, and windows at the rim see more object.
    """
    if not mask.any():
        return constant(image, mask)
    # The outermost ring of a photographed edge is half background: as a source it would spread that colour
    # all around the object.
    core = shrunk(mask, 1)
    extended = _outside(image, mask, extend_nearest(image, core if core.any() else mask))
    return _outside(image, mask, cv2.GaussianBlur(extended, (0, 0), 2.5))


def extend_nearest(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return `values` (H, W) or (H, W, C) where `valid` (H, W), elsewhere the value of the nearest valid
    pixel. One pixel must be valid at least.
    """
    return values.reshape(-1, *values.shape[2:])[nearest_valid(valid)]


def nearest_valid(valid: np.ndarray) -> np.ndarray:
    """Return for every pixel (H, W) the flat number of the nearest valid one; one must be at least."""
    # Distances by a 5x5 mask are off by 2 % at most: where two object pixels are about equally near, either
    # will do.
    _, labels = cv2.distanceTransformWithLabels(
        (~valid).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    number_of_label = np.zeros(int(labels.max()) + 1, np.int32)
    number_of_label[labels[valid]] = np.flatnonzero(valid)
    return number_of_label[labels]


FILLS: dict[str, Fill] = {"keep": keep, "constant": constant, "mean": mean, "blur": blur, "nearest": nearest}
"""The fills by name."""


def fill_named(name: str) -> Fill:
    """Return a fill by its name."""
    if name not in FILLS:
        raise UserError(
            f"fill {name!r} is not known: what stands behind the object is decided by one of "
            f"{', '.join(FILLS)}. Choose one of them."
        )
    return FILLS[name]


def _outside(image: np.ndarray, mask: np.ndarray, background: np.ndarray | np.uint8) -> np.ndarray:
    if image.shape[:2] != mask.shape:
        raise ValueError(f"a mask {mask.shape} does not fit a picture {image.shape}")
    return np.where(mask[..., None], image, background)


def _mean_colour(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the mean colour (3,) uint8 of the object, grey for an empty mask."""
    if not mask.any():
        return np.full(image.shape[2], GREY, np.uint8)
    return _to_uint8(image[mask].mean(axis=0, dtype=np.float64))


def _to_uint8(colours: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)
