"""One finer look at every depth, with windows that follow the surface
(docs/classical_backend.md, "Refinement").
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from masks.fill import extend_nearest
from masks.mask import shrunk
from pairs.backends.classical.stereo.plane_sweep import (
    PatchStatistics,
    SweepImage,
    matching_cost,
    mean_of_best_half,
    patch_statistics,
)
from pairs.backends.classical.stereo.semi_global import parabola_offset
from pairs.backends.classical.stereo.warp import Warp, warp_image_to

# Two half steps on either side reach the neighbouring planes, where aggregation may have stopped short.
_CANDIDATES = 5


def refine(
    inverse_depth: np.ndarray,
    half_step: float,
    picture: SweepImage,
    neighbours: Sequence[SweepImage],
    moves: Sequence[Warp],
) -> np.ndarray:
    """Return inverse depth (h, w) float32 refined once: five candidates a pixel, `half_step` apart, around
    the median of the surface.

    Every neighbour is sampled along the current surface, so that slanted windows match, which takes the bias
    out of the photometric depth. A second round would only add noise.
    """
    surface = _median(inverse_depth, picture.mask)
    reference = patch_statistics(picture.grey)
    shifts = half_step * (np.arange(_CANDIDATES, dtype=np.float32) - _CANDIDATES // 2)
    # Shifting the whole surface at once lets windows slide along the surface instead of facing the camera.
    costs = np.stack(
        [_surface_cost(surface + shift, reference, neighbours, moves) for shift in shifts]
    )  # (5, h, w)
    best = costs.argmin(0)
    inner = np.clip(best, 1, _CANDIDATES - 2)
    before, at, after = (np.take_along_axis(costs, (inner + k)[None], 0)[0] for k in (-1, 0, 1))
    offset = np.where(best == inner, parabola_offset(before, at, after), np.float32(0))
    return (surface + (best - _CANDIDATES // 2 + offset) * np.float32(half_step)).astype(np.float32)


def _median(inverse_depth: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the 5x5 median inside the object, the own value within two pixels of its edge, the nearest
    object pixel's value outside.
    """
    extended = extend_nearest(inverse_depth, mask)
    return np.where(shrunk(mask, 2), cv2.medianBlur(extended, 5), extended)


def _surface_cost(
    surface: np.ndarray, reference: PatchStatistics, neighbours: Sequence[SweepImage], moves: Sequence[Warp]
) -> np.ndarray:
    h, w = surface.shape
    x, y = np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)[:, None]
    return mean_of_best_half(
        _one_cost(warp_image_to(move, x, y, surface)[:2], reference, n) for n, move in zip(neighbours, moves)
    )


def _one_cost(
    place: tuple[np.ndarray, np.ndarray], reference: PatchStatistics, neighbour: SweepImage
) -> np.ndarray:
    x, y = (p.astype(np.float32, copy=False) for p in place)
    # Bicubic: bilinear sampling blurs most half-way between pixels, which draws correlation maxima to whole
    # ones.
    sampled = cv2.remap(neighbour.grey, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    outside = cv2.remap(
        (~neighbour.mask).view(np.uint8),
        x,
        y,
        cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=1,
    )
    return matching_cost(reference, sampled, outside)
