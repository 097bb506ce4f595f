"""Where the lattice lies, and how fine it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from align.meshes.field.lattice import SIDE
from align.meshes.field.votes import ViewVotes, usable_points
from masks.errors import ReconstructionError
from masks.notice import Notice, warning
from pairs.silhouettes.visual_hull import Lattice

_FIRST_NODES = 64
"""Nodes along the longest side of the first look."""
_QUANTILES = (0.002, 0.998)
"""Of the usable points on every axis: the outermost ones are outliers."""
_WIDER = 0.12
"""Of the longest side, by which the box of the points is widened: their base, and what the depths miss."""
_MOST_POINTS = 1 << 20
_RIM = 3
"""Nodes of the fine lattice around the first look's solid ones."""
_FEW_VOXELS, _LEAST_NODES = 40, 64
"""Pixels across an object that are too few to say anything, and nodes across it at least: they hold a shape
that its outlines tell."""
_BYTES, _OF_FREE = 24.0, 0.5
"""Bytes a node while parts are counted, and share of the free memory that the field takes."""


def first_look(votes: Sequence[ViewVotes]) -> Lattice:
    """Return a coarse lattice around the usable points. Raises `ReconstructionError` without any."""
    found = [usable_points(view) for view in votes]
    points = np.concatenate(found)
    points = points[:: 1 + len(points) // _MOST_POINTS]
    if len(points) < 16:
        raise ReconstructionError(
            "a mesh needs depth inside the masks, and no view has any that is sure. Look at the masks, or "
            "lower `min_conf`."
        )
    low, high = np.quantile(points.astype(np.float64), _QUANTILES, axis=0)
    wider = _WIDER * (high - low).max()
    low, high = low - wider, high + wider
    spacing = float((high - low).max()) / (_FIRST_NODES - 1)
    x, y, z = (int(side) for side in np.ceil((high - low) / spacing).astype(int) + 1)
    return Lattice(low, spacing, (x, y, z))


class Grid(NamedTuple):
    """The lattice of the field, and what is to be said about its size."""

    lattice: Lattice
    notices: tuple[Notice, ...]


def fine_grid(first: Lattice, inside: np.ndarray, voxel: float, most_nodes: int, free: float | None) -> Grid:
    """Return the lattice around the nodes (n, 3) of the first look that are inside the hull, with cells of a
    voxel where that is neither too coarse for the object nor too fine for the memory of `free` bytes, if that
    is known.
    """
    notices = []
    across = max(first.shape) * first.spacing / (1 + 2 * _WIDER)
    if across < _FEW_VOXELS * voxel:
        text = (
            f"the object is {across / voxel:.0f} pixels of the depth maps wide: the photos show too little "
            "of it. Take them from nearer, or crop them."
        )
        notices.append(warning("mesh", text))
    voxel = min(voxel, across / _LEAST_NODES)
    low = np.maximum(inside.min(0) - 1, 0) * first.spacing
    high = np.minimum(inside.max(0) + 1, np.array(first.shape) - 1) * first.spacing
    voxel = max(voxel, float((high - low).max()) / most_nodes)
    need = _BYTES * float(np.prod((high - low) / voxel))
    if free is not None and need > free * _OF_FREE:
        wider = (need / (free * _OF_FREE)) ** (1 / 3)
        text = (
            f"the field's cells are {wider:.2f} times as wide as the depth maps allow: {need / 1e9:.1f} GB "
            f"are needed, and {free / 1e9:.1f} GB are free."
        )
        notices.append(warning("mesh", text))
        voxel *= wider
    sides = np.ceil((high - low) / voxel).astype(int) + 2 * _RIM
    x, y, z = (int(-(-side // SIDE) * SIDE) for side in sides)
    return Grid(Lattice(first.origin + low - _RIM * voxel, voxel, (x, y, z)), tuple(notices))
