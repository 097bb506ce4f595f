"""Oriented SIFT features inside the mask (docs/classical_backend.md, "Features").

Outside it they would belong to the backdrop, which on a turntable moves otherwise than the object; its rim
moves with the line of sight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from masks.mask import shrunk
from pairs.backends.classical.keys import photo_key, stage_key
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.working_image import WorkingImage, working_image
from pairs.backends.work import arrays_of
from pairs.prediction.layout import laid_out
from pairs.prediction.sealed_arrays import Arrays
from pairs.views.view import View

KIND = "features"
"""Name of the features' folder in the store."""

_LAYOUT = {"xy": ("float32", ("N", 2)), "size": ("float32", ("N",)), "descriptors": ("uint8", ("N", 128))}

# OpenCV's defaults are 0.04 and 10. Even so white plaster gives no more than 390 features a view.
_CONTRAST, _EDGE = 0.01, 15.0
_BOX_MARGIN_PX = 32
DESCRIPTOR_SCALE = 4000.0
"""Norm of a descriptor. Its entries are whole numbers, so dot products stay below 2^24 and are exact in
float32: the same to the bit in
whatever order, block size, thread or library they are summed."""


@dataclass(frozen=True, slots=True)
class Features:
    """Key points of one view, strongest first."""

    xy: np.ndarray  # (N, 2) float32, pixels of the working picture
    size: np.ndarray  # (N,) float32, diameter in the same pixels
    descriptors: np.ndarray  # (N, 128) uint8, SIFT's own

    def __len__(self) -> int:
        return len(self.xy)


def features_key(view: View, options: SolveOptions) -> str:
    """Return the store key of a view's features."""
    limits = [
        options.working_longest,
        options.features_masked,
        options.features_unmasked,
        options.mask_inset_px,
    ]
    return stage_key(KIND, photo_key(view), view.mask is None, limits)


def features_from_arrays(arrays: Arrays) -> Features:
    """Return features as the store kept them. Raises `ValueError` when these are none."""
    return Features(**laid_out(arrays, _LAYOUT))


def find_features(task: tuple[View, SolveOptions]) -> dict[str, np.ndarray]:
    """Find the features of one view, as the store keeps them; a task for a worker."""
    return arrays_of(features_of(*task))


def features_of(view: View, options: SolveOptions) -> Features:
    """Find the features of one view."""
    return detect(working_image(view, options.working_longest), options)


def detect(picture: WorkingImage, options: SolveOptions) -> Features:
    """Find the strongest features of a picture, at least the inset away from the mask's edge."""
    if picture.mask is None:
        return _strongest(*_sift(picture.grey, None), options.features_unmasked)
    # The picture's frame is no silhouette: an object cut by it keeps its features there.
    inside = shrunk(picture.mask, options.mask_inset_px)
    if not inside.any():
        return _strongest([], None, 0)
    # The pyramid is built on the object's box alone: it costs time in proportion to its area, and the margin
    # feeds the windows at the rim.
    rows, columns = np.flatnonzero(picture.mask.any(1)), np.flatnonzero(picture.mask.any(0))
    top, left = max(0, rows[0] - _BOX_MARGIN_PX), max(0, columns[0] - _BOX_MARGIN_PX)
    box = np.s_[top : rows[-1] + 1 + _BOX_MARGIN_PX, left : columns[-1] + 1 + _BOX_MARGIN_PX]
    points, descriptors = _sift(picture.grey[box], inside[box])
    most = options.features_masked if picture.of_object else options.features_unmasked
    return _strongest(points, descriptors, most, (float(left), float(top)))


def comparable(descriptors: np.ndarray) -> np.ndarray:
    """Return RootSIFT descriptors (N, 128) as whole numbers in float32, of norm `DESCRIPTOR_SCALE` to within
    rounding.
    """
    # The Hellinger kernel: comparing square roots of entries damps the few large bins that decide a Euclidean
    # distance.
    raw = descriptors.astype(np.float32)
    root = np.sqrt(raw / np.maximum(raw.sum(1, keepdims=True), 1))
    # Rounding moves an entry by 1/8000 of the norm at most: SIFT's own eight bits are coarser.
    return np.rint(root * np.float32(DESCRIPTOR_SCALE))


def _sift(grey: np.ndarray, inside: np.ndarray | None) -> tuple[Sequence[cv2.KeyPoint], np.ndarray | None]:
    # Without precise upscaling every position comes out a quarter of a pixel too far right and down, which a
    # view rolled by 180 degrees doubles.
    sift = cv2.SIFT_create(
        nfeatures=0,
        nOctaveLayers=3,
        contrastThreshold=_CONTRAST,
        edgeThreshold=_EDGE,
        sigma=1.6,
        descriptorType=cv2.CV_8U,
        enable_precise_upscale=True,
    )
    return sift.detectAndCompute(
        np.ascontiguousarray(grey), None if inside is None else inside.astype(np.uint8)
    )


def _strongest(
    points: Sequence[cv2.KeyPoint],
    descriptors: np.ndarray | None,
    count: int,
    offset: tuple[float, float] = (0.0, 0.0),
) -> Features:
    """Keep the `count` points of largest response; equal ones in the detector's order."""
    if descriptors is None:
        return Features(np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros((0, 128), np.uint8))
    order = np.argsort([-point.response for point in points], kind="stable")[:count]
    xy = np.array([points[i].pt for i in order], np.float32) + np.array(offset, np.float32)
    return Features(xy, np.array([points[i].size for i in order], np.float32), descriptors[order])
