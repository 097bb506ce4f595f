"""Depth at a photo's resolution, from the coarser grid and the photo.

Joint bilateral upsampling (Kopf et al. 2007) of planes: every grid pixel carries the plane of its surface. A
photo pixel takes the mean of the planes of the four grid pixels around it, by nearness and by likeness of
colour, but never of two surfaces. A plane stays one; a step stays a step, at the edge in the photo.
"""

from __future__ import annotations

import numpy as np

from align.export.surface import inverse_depth_slopes
from masks.pixelmap import PixelMap, to_target

_COLOUR_LEVELS = (
    20.0  # standard deviation of the weight, of 255: well above noise, well below the edge of a part
)
_ONE_SURFACE = 0.01  # of the depth: planes that differ by more belong to two surfaces
_ROWS_PIXELS = 1 << 19  # photo pixels at once: a photo of 48 megapixels never needs more than some 100 MB


def upsampled_depth(
    depth: np.ndarray, K: np.ndarray, colours: np.ndarray, photo: np.ndarray, grid_from_photo: PixelMap
) -> np.ndarray:
    """Return z (H, W) float32 at the pixels of `photo` (H, W, 3) uint8, 0 where it is unknown.

    `depth` (h, w), 0 where unknown, `colours` (h, w, 3) uint8 and K (3, 3) are the grid's. A pixel is known
    where at least half of the area that bilinear interpolation would take is.
    """
    height, width = photo.shape[:2]
    slopes = inverse_depth_slopes(depth, K)
    out = np.zeros((height, width), np.float32)
    rows = max(1, _ROWS_PIXELS // width)
    for top in range(0, height, rows):
        y, x = np.mgrid[top : min(top + rows, height), 0:width]
        at = to_target(grid_from_photo, np.stack([x, y], axis=-1).reshape(-1, 2))
        found = _depth_at(depth, slopes, colours, at, photo[top : top + rows].reshape(-1, 3))
        out[top : top + rows] = found.reshape(-1, width)
    return out


def _depth_at(
    depth: np.ndarray, slopes: np.ndarray, colours: np.ndarray, at: np.ndarray, seen: np.ndarray
) -> np.ndarray:
    """Return z (N,) at positions (N, 2) of the grid, 0 where unknown, from the colours seen there (N, 3)."""
    h, w = depth.shape
    # NaN, which a lens gives beyond what it shows, fails the comparison.
    inside = np.flatnonzero(((at > -0.5) & (at < (w - 0.5, h - 0.5))).all(-1))
    corner = np.floor(at[inside]).astype(np.int64)
    # Most of a photo is background: the rest is done for what has a known pixel around it.
    edged = np.pad(depth > 0, 1, mode="edge")
    touched = edged[:-1, :-1] | edged[1:, :-1] | edged[:-1, 1:] | edged[1:, 1:]
    near = touched[corner[:, 1] + 1, corner[:, 0] + 1]
    inside, corner = inside[near], corner[near]
    share = at[inside] - corner
    known, bilinear, planes = [], [], []
    for dy in (0, 1):
        for dx in (0, 1):
            x, y = np.clip(corner[:, 0] + dx, 0, w - 1), np.clip(corner[:, 1] + dy, 0, h - 1)
            known.append(depth[y, x] > 0)
            bilinear.append(np.abs(1 - dx - share[:, 0]) * np.abs(1 - dy - share[:, 1]))
            planes.append(y * w + x)
    enough = np.sum(bilinear, axis=0, where=np.array(known)) >= 0.5
    inside, pixels, nearness = inside[enough], np.array(planes)[:, enough], np.array(bilinear)[:, enough]
    apart = colours.reshape(-1, 3)[pixels].astype(np.float32) - seen[inside].astype(np.float32)
    likeness = np.exp(-(apart**2).sum(-1) / (2 * _COLOUR_LEVELS**2))
    z = depth.ravel()[pixels]
    there = z > 0
    # The floor lets nearness decide where no colour is alike.
    weight = np.where(there, nearness * (likeness + 1e-6), 0)
    offset = at[inside] - np.stack([pixels % w, pixels // w], axis=-1)
    inverse = (1 + (slopes.reshape(-1, 2)[pixels] * offset).sum(-1)) / np.where(there, z, 1)
    first = np.take_along_axis(inverse, weight.argmax(0)[None], axis=0)
    weight[np.abs(inverse - first) > _ONE_SURFACE * np.abs(first)] = 0
    out = np.zeros(len(at), np.float32)
    mean = (weight * inverse).sum(0) / weight.sum(0)
    # A plane seen edge-on may pass behind the camera within a pixel.
    out[inside] = np.where(mean > 0, 1 / np.where(mean > 0, mean, 1), 0)
    return out
