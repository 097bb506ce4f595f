"""Places of a lattice in the picture of a view."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from align.meshes.field.votes import ViewVotes
from pairs.silhouettes.visual_hull import CONTINUED_PX, Lattice, sampled

_LOOSE_PX = 0.25
"""Tolerance of masks and poses, in pixels of the masks. 0.5 doubles what sticks out of the silhouettes; 1
costs 3 % of their overlap on a real turntable."""
_BEHIND = 1e6
"""Voxels that a place behind a camera is outside: nothing of the object can be there, as it was
photographed."""


class Projected(NamedTuple):
    """Where places lie in a picture; float32, whose rounding is a thousandth of a pixel and of a voxel."""

    x: np.ndarray  # (n,), grid pixels
    y: np.ndarray  # (n,)
    z: np.ndarray  # (n,), depth
    ahead: np.ndarray  # (n,) bool, not behind the camera


def projected(view: ViewVotes, lattice: Lattice, places: np.ndarray) -> Projected:
    """Return where places (3, n) float32, in voxels from the lattice's first node, lie in a picture."""
    R, t = view.cam_from_world[:3, :3], view.cam_from_world[:3, 3]
    start = (view.K @ (R @ lattice.origin + t)).astype(np.float32)
    x, y, z = (lattice.spacing * view.K @ R).astype(np.float32) @ places + start[:, None]
    nearest = np.maximum(z, np.float32(lattice.spacing))  # what is behind must not overflow
    return Projected(x / nearest, y / nearest, z, z > lattice.spacing)


def grid_pixels(view: ViewVotes, at: Projected) -> tuple[np.ndarray, np.ndarray]:
    """Return the flat numbers (n,) int32 of the pixels of a view's grid at places, 0 beside it, and which
    places (n,) bool it shows.
    """
    h, w = view.mask.shape
    column, row = np.rint(at.x), np.rint(at.y)
    shown = at.ahead & (column >= 0) & (column < w) & (row >= 0) & (row < h)
    return np.where(shown, row * w + column, 0).astype(np.int32), shown


def outside_cone(view: ViewVotes, lattice: Lattice, at: Projected) -> np.ndarray:
    """Return how many voxels (n,) float32 places are outside of a silhouette's cone; the view has one."""
    if view.outline is None:
        raise ValueError(f"{view.name} has no silhouette")
    mask_from_grid = (view.K_outline @ np.linalg.inv(view.K)).astype(np.float32)
    x = mask_from_grid[0, 0] * at.x + (mask_from_grid[0, 2] + CONTINUED_PX)
    y = mask_from_grid[1, 1] * at.y + (mask_from_grid[1, 2] + CONTINUED_PX)
    pixels = sampled(view.outline, x, y, cv2.BORDER_REPLICATE) - np.float32(_LOOSE_PX)
    voxels = pixels * at.z / np.float32(view.K_outline[0, 0] * lattice.spacing)
    return np.where(at.ahead, voxels, np.float32(_BEHIND))
