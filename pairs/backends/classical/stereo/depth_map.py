"""The depth of one view from its neighbours' images alone: sweep, semi-global matching, refinement
(docs/classical_backend.md, "Plane sweep").

It reads no other view's depth, so all views are measured at the same time, and their agreement afterwards is
evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairs.backends.classical.stereo.plane_sweep import SweepImage, choose_planes, cost_volume
from pairs.backends.classical.stereo.refinement import refine
from pairs.backends.classical.stereo.semi_global import aggregate, best_plane
from pairs.backends.classical.stereo.warp import Warp, from_crop

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
    no valid depth.
    """
    inverse = np.zeros(picture.mask.shape, np.float32)
    if not picture.mask.any():
        return PhotometricDepth(inverse, picture.mask)
    rows, columns = _object_box(picture.mask)
    crop = SweepImage(
        np.ascontiguousarray(picture.grey[rows, columns]), np.ascontiguousarray(picture.mask[rows, columns])
    )
    moves = [from_crop(move, (columns.start, rows.start)) for move in moves]
    h, w = crop.mask.shape
    planes = choose_planes(inverse_range, ((w - 1) / 2, (h - 1) / 2), moves, limits)
    position = best_plane(aggregate(cost_volume(crop, neighbours, moves, planes), crop.mask))
    swept = np.float32(planes.first) + position * np.float32(planes.step)
    # The step is often wider than 0.75 px, since the number of planes is bounded; two candidates on either
    # side still reach the next plane.
    refined = refine(swept, planes.step / 2, crop, neighbours, moves)
    # Never beyond the first plane: candidates behind it may reach infinity and turn negative.
    inverse[rows, columns] = np.where(crop.mask, np.maximum(refined, np.float32(planes.first)), 0)
    return PhotometricDepth(inverse, picture.mask)


def _object_box(mask: np.ndarray) -> tuple[slice, slice]:
    """Return (rows, columns) of the object's box with its margin, within the grid."""
    return _extent(mask, 0), _extent(mask, 1)


def _extent(mask: np.ndarray, axis: int) -> slice:
    """Return the stretch along an axis that holds the object, with the margin."""
    where = np.nonzero(mask)[axis]
    return slice(
        max(0, int(where.min()) - _MARGIN_PX), min(mask.shape[axis], int(where.max()) + 1 + _MARGIN_PX)
    )
