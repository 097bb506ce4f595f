"""The depth of one view from its neighbours' images alone: sweep, semi-global matching, refinement
(docs/classical_backend.md, "Plane sweep").

It reads no other view's depth, so all views are measured at the same time, and their agreement afterwards is
evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from masks.fill import extend_nearest
from pairs.backends.classical.stereo.plane_sweep import (
    SweepImage,
    choose_planes,
    cost_volume,
    halved_image,
)
from pairs.backends.classical.stereo.refinement import refine
from pairs.backends.classical.stereo.semi_global import aggregate, best_plane
from pairs.backends.classical.stereo.warp import Warp, from_crop, halved_warp

# Windows, penalties and planes are tuned at 512 pixels; at 1024 and more they cover too little surface to
# tell planes apart, and fewer neighbours agree (docs/classical_backend.md, "Finer depth"). Swept at 272
# pixels, two thirds more depths than at 512 are off by more than 1 %.
_LARGEST_SWEPT, _SMALLEST_SWEPT = 768, 32
_MARGIN_PX = 4
"""Pixels around the object's box, so that windows at its rim are whole."""


@dataclass(frozen=True, slots=True)
class PhotometricDepth:
    """Inverse depth of one view on its grid."""

    inverse: np.ndarray  # (H, W) float32, > 0 where valid
    valid: np.ndarray  # (H, W) bool


def photometric_depth(
    picture: SweepImage,
    neighbours: Sequence[SweepImage],
    moves: Sequence[Warp],
    inverse_range: tuple[float, float],
    limits: tuple[int, int],
) -> PhotometricDepth:
    """Return the depth of every object pixel of `picture`, seen against 1 to 4 `neighbours` to which `moves`
    lead.

    `inverse_range` is (far, near); `limits` bound the number of planes. A view whose object has no pixel has
    no valid depth. Pictures beyond 768 pixels are swept at half of their size, or a quarter and so on, and
    refined at each size on the way back.
    """
    pyramid = [(picture, tuple(neighbours), tuple(moves))]
    for _ in range(halvings([each.mask.shape for each in (picture, *neighbours)])):
        finest, others, ways = pyramid[-1]
        pyramid.append(
            (halved_image(finest), tuple(map(halved_image, others)), tuple(map(halved_warp, ways)))
        )
    # Between sizes the mask may lose its last pixels.
    while len(pyramid) > 1 and not pyramid[-1][0].mask.any():
        pyramid.pop()
    inverse, half_step = np.zeros(picture.mask.shape, np.float32), 0.0
    if not picture.mask.any():
        return PhotometricDepth(inverse, picture.mask)
    for level, (own, others, ways) in enumerate(reversed(pyramid)):
        rows, columns = _object_box(own.mask)
        crop = SweepImage(
            np.ascontiguousarray(own.grey[rows, columns]), np.ascontiguousarray(own.mask[rows, columns])
        )
        ways = [from_crop(way, (columns.start, rows.start)) for way in ways]
        if level == 0:
            start, half_step = _swept(crop, others, ways, inverse_range, limits)
        else:
            start, half_step = _doubled(inverse, own.mask.shape)[rows, columns], half_step / 2
        refined = refine(start, half_step, crop, others, ways)
        inverse = np.zeros(own.mask.shape, np.float32)
        # Never beyond the first plane: candidates behind it may reach infinity and turn negative.
        inverse[rows, columns] = np.where(crop.mask, np.maximum(refined, np.float32(inverse_range[0])), 0)
    return PhotometricDepth(inverse, picture.mask)


def halvings(shapes: Sequence[tuple[int, ...]]) -> int:
    """Return how many times pictures of these shapes, the measured one first, are halved before the sweep."""
    wanted = np.ceil(np.log2(max(shapes[0]) / _LARGEST_SWEPT))
    # Windows need something to look at in the smallest of them.
    possible = np.floor(np.log2(min(min(shape) for shape in shapes) / _SMALLEST_SWEPT))
    return max(0, int(min(wanted, possible)))


def _swept(
    crop: SweepImage,
    neighbours: Sequence[SweepImage],
    moves: Sequence[Warp],
    inverse_range: tuple[float, float],
    limits: tuple[int, int],
) -> tuple[np.ndarray, float]:
    """Return the inverse depth (h, w) of a sweep with semi-global matching, and the step to refine it by."""
    h, w = crop.mask.shape
    planes = choose_planes(inverse_range, ((w - 1) / 2, (h - 1) / 2), moves, limits)
    position = best_plane(aggregate(cost_volume(crop, neighbours, moves, planes), crop.mask))
    swept = np.float32(planes.first) + position * np.float32(planes.step)
    # The step is often wider than 0.75 px, since the number of planes is bounded; two candidates on either
    # side still reach the next plane.
    return swept, planes.step / 2


def _doubled(inverse: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return inverse depth of a half-sized grid on the grid of `shape`, extended beyond the object's rim."""
    h, w = inverse.shape
    extended = extend_nearest(inverse, inverse > 0)
    # On a plane inverse depth is affine in the pixel, so that bilinear values are exact.
    doubled = cv2.resize(extended, (2 * w, 2 * h), interpolation=cv2.INTER_LINEAR)
    return np.pad(doubled, ((0, shape[0] - 2 * h), (0, shape[1] - 2 * w)), mode="edge")


def _object_box(mask: np.ndarray) -> tuple[slice, slice]:
    """Return (rows, columns) of the object's box with its margin, within the grid."""
    return _extent(mask, 0), _extent(mask, 1)


def _extent(mask: np.ndarray, axis: int) -> slice:
    """Return the stretch along an axis that holds the object, with the margin."""
    where = np.nonzero(mask)[axis]
    return slice(
        max(0, int(where.min()) - _MARGIN_PX), min(mask.shape[axis], int(where.max()) + 1 + _MARGIN_PX)
    )
