"""Silhouettes that the depths fall short of.

A pixel of a mask that nothing solid covers is evidence that the votes ignore: near outlines depth maps lie a
few footprints too deep, and several views agree on it. Filling the missing nodes alone leaves crumbs all over
the skin; lifting the field around them moves the surface out smoothly, and the hull cuts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter

from align.meshes.field.lattice import SIDE, DistanceField, block_nodes, by_block, read_blocks, write_blocks
from align.meshes.field.projection import grid_pixels, projected
from align.meshes.field.votes import ViewVotes
from align.meshes.options import MeshOptions
from masks.progress import Progress

_SKIN = 2.5
"""Voxels below the surface within which solid nodes cover pixels."""
_CLOSED_PX = 5
"""Side of the square that closes the gaps between the nodes' pixels."""
_TIED = 0.5
"""Voxels of the field by which nodes along a ray may be less near to solid than the nearest, and are lifted
with it."""
_LIFT_NODES, _LIFT_SIGMA = 3, 1.0
"""Maximum filter and Gaussian of the lift: a real turntable's silhouettes overlap by 0.991 instead of 0.966.
5 and 1.5 cover no more and stick out more."""
_REACH = 6
"""Nodes to which a lift extends, both filters together."""


@dataclass(slots=True)
class _Skin:
    """Nodes near the surface, and a working copy of their values."""

    places: np.ndarray  # (3, n) float32, voxels from the lattice's first node
    values: np.ndarray  # (n,) float32
    lack: np.ndarray  # (n,) float32, what is missing for solid


def repair_silhouettes(
    field: DistanceField, votes: Sequence[ViewVotes], options: MeshOptions, progress: Progress
) -> DistanceField:
    """Return the field lifted where silhouettes are not covered, and nowhere beyond the hull."""
    own = read_blocks(field.values, field.blocks)
    near = (own > -_SKIN) & (own < options.truncation) & (field.hull < 0)
    some = near.any(1)
    places = block_nodes(field.lattice, field.blocks[some])[near[some]]
    skin = _Skin(np.ascontiguousarray(places.T), own[near], np.zeros(len(places), np.float32))
    for k, view in enumerate(votes):
        if view.outline is not None:
            _find_missing(skin, view, field)
        progress("covering silhouettes", k + 1, len(votes))
    return _lifted(field, places, skin.lack, options.truncation)


def _find_missing(skin: _Skin, view: ViewVotes, field: DistanceField) -> None:
    """Make the nodes solid that the view's mask misses, and note what they lacked."""
    h, w = view.mask.shape
    pixel, shown = grid_pixels(view, projected(view, field.lattice, skin.places))
    covered = np.zeros(h * w, np.uint8)
    covered[pixel[shown & (skin.values < 0)]] = 1
    square = np.ones((_CLOSED_PX, _CLOSED_PX), np.uint8)
    covered = cv2.morphologyEx(covered.reshape(h, w), cv2.MORPH_CLOSE, square)
    open_ = (view.mask & (covered == 0)).ravel()
    waiting = np.flatnonzero(shown & (skin.values >= 0) & open_[pixel])
    least = np.full(h * w, np.inf, np.float32)
    np.minimum.at(least, pixel[waiting], skin.values[waiting])
    missing = waiting[skin.values[waiting] <= least[pixel[waiting]] + _TIED]
    skin.lack[missing] = skin.values[missing] + 0.5
    skin.values[missing] = -0.5


def _lifted(field: DistanceField, places: np.ndarray, lack: np.ndarray, truncation: float) -> DistanceField:
    """Return the field less the smoothed lack of its nodes, within the hull."""
    missing = lack > 0
    if not missing.any():
        return field
    at = places[missing].astype(np.intp)
    # Only the box of what is missing, of whole blocks.
    low = np.maximum(at.min(0) - _REACH, 0) // SIDE * SIDE
    high = np.minimum(-(-(at.max(0) + 1 + _REACH) // SIDE) * SIDE, field.lattice.shape)
    lift = np.zeros(high - low, np.float32)
    lift[tuple((at - low).T)] = lack[missing]
    lift = gaussian_filter(maximum_filter(lift, _LIFT_NODES), _LIFT_SIGMA, truncate=3.0)
    block = np.stack(np.unravel_index(field.blocks, np.array(field.lattice.shape) // SIDE), -1)
    within = ((block >= low // SIDE) & (block < high // SIDE)).all(-1)
    x, y, z = (block[within] - low // SIDE).T
    lifted = read_blocks(field.values, field.blocks[within]) - by_block(lift)[x, y, z].reshape(-1, SIDE**3)
    values = field.values.copy()
    write_blocks(
        values, field.blocks[within], np.clip(np.maximum(lifted, field.hull[within]), -truncation, truncation)
    )
    return replace(field, values=values)
