"""The surface that a depth map shows: a plane at every pixel.

The inverse depth of a plane is affine in the pixels, so a plane is what a linear fit to inverse depth finds,
and what linear interpolation of inverse depth keeps.
"""

from __future__ import annotations

import numpy as np

_REACH = 2  # pixels: 5x5 neighbours average the noise of single depths, and are few enough for thin parts
_STEEPEST = np.tan(np.deg2rad(80))
"""A surface seen at a flatter angle is taken for an edge between two."""
_RIDGE = 1e-6  # pixels^2: neighbours on one line leave the slope across it open, and it becomes zero


def inverse_depth_slopes(depth: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Return how 1/z changes from a pixel to the next in x and in y, as shares of it: (H, W, 2) float32.

    `depth` (H, W) is z, 0 where unknown, K (3, 3) in its pixels. Neighbours on another surface do not count;
    a pixel without neighbours has slopes 0.
    """
    slopes = np.zeros((*depth.shape, 2), np.float32)
    # An object fills a part of its picture.
    rows, columns = (np.flatnonzero((depth > 0).any(axis)) for axis in (1, 0))
    if len(rows):
        box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        slopes[box] = _fitted_slopes(depth[box], _STEEPEST / min(K[0, 0], K[1, 1]))
    return slopes


def _fitted_slopes(depth: np.ndarray, steepest: float) -> np.ndarray:
    """Return slopes (H, W, 2); neighbours whose inverse depth differs by more than the share `steepest` a
    pixel are on another surface.
    """
    h, w = depth.shape
    known = depth > 0
    inverse = np.where(known, 1 / np.where(known, depth, 1), 0).astype(np.float32)
    around = np.pad(inverse, _REACH)
    # Sums over the neighbours: their number, x, y, xx, xy, yy, and d, xd, yd of the differences d.
    sums = np.zeros((9, h, w), np.float32)
    for y in range(-_REACH, _REACH + 1):
        for x in range(-_REACH, _REACH + 1):
            neighbour = around[_REACH + y : _REACH + y + h, _REACH + x : _REACH + x + w]
            same = known & (neighbour > 0)
            d = np.where(same, neighbour / np.where(known, inverse, 1) - 1, 0)
            same &= np.abs(d) <= steepest * np.hypot(x, y)
            d[~same] = 0
            for k, factor in enumerate((1, x, y, x * x, x * y, y * y)):
                sums[k] += factor * same
            for k, factor in enumerate((1, x, y), 6):
                sums[k] += factor * d
    n, sx, sy, sxx, sxy, syy, sd, sxd, syd = sums
    n = np.maximum(n, 1)
    xx, xy, yy = sxx - sx * sx / n + _RIDGE, sxy - sx * sy / n, syy - sy * sy / n + _RIDGE
    xd, yd = sxd - sx * sd / n, syd - sy * sd / n
    # In double precision: neighbours on a diagonal nearly cancel.
    det = xx.astype(np.float64) * yy - xy.astype(np.float64) ** 2
    return np.stack([yy * xd - xy * yd, xx * yd - xy * xd], axis=-1) / np.maximum(det, _RIDGE**2)[..., None]


def normals_of_depth(depth: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Return unit normals (H, W, 3) float32 of a depth map (H, W), in the camera's frame and towards the
    camera.

    Where depth is unknown, or known of this pixel alone, they point back along the optical axis.
    """
    h, w = depth.shape
    slopes = inverse_depth_slopes(depth, K)
    ray_from_pixel = np.linalg.inv(K)
    x, y = np.arange(w), np.arange(h)[:, None]
    along = slopes @ K[:2, :2]  # by normalised coordinates instead of pixels
    ray_x = ray_from_pixel[0, 0] * x + ray_from_pixel[0, 1] * y + ray_from_pixel[0, 2]
    ray_y = ray_from_pixel[1, 1] * y + ray_from_pixel[1, 2]
    # The plane of 1/z = n . ray; its n has n . point = 1 > 0, so it always points away from the camera.
    away = np.stack(
        [along[..., 0], along[..., 1], 1 - along[..., 0] * ray_x - along[..., 1] * ray_y], axis=-1
    )
    return (-away / np.linalg.norm(away, axis=-1, keepdims=True)).astype(np.float32)
