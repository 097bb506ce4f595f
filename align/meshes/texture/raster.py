"""Triangles on a grid of pixels: which one covers each pixel, where within it, and how far away it is.

Serves pictures of a mesh through a camera, and the charts of its texture. Pixel centres lie at integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from align.meshes.mesh import ObjectMesh
from align.meshes.surface import area_vectors

_PIXELS_AT_ONCE = 1 << 20
"""Pixels of triangles' boxes that are looked at together: some 60 bytes each."""
_ON_EDGE = 1e-6
"""Share of a triangle by which a pixel may lie beyond an edge: none may fall between two neighbours."""


@dataclass(frozen=True, slots=True)
class Raster:
    """What each pixel shows."""

    face: np.ndarray  # (H, W) int32, number of the nearest triangle; -1 where there is none
    weights: np.ndarray  # (H, W, 3) float32, shares of its corners at the pixel's centre, on the surface
    depth: np.ndarray  # (H, W) float32, z in the camera; infinite where there is none

    @property
    def covered(self) -> np.ndarray:
        """(H, W) bool, True where a triangle is."""
        return self.face >= 0


def picture_of(mesh: ObjectMesh, K: np.ndarray, cam_from_world: np.ndarray, size: tuple[int, int]) -> Raster:
    """Return what a camera with K (3, 3) and pose (4, 4) sees of a closed mesh in pixels of `size` (width,
    height).

    Triangles that reach behind the camera are left out.
    """
    in_cam = mesh.vertices @ cam_from_world[:3, :3].T + cam_from_world[:3, 3]
    corners = in_cam[mesh.faces]
    before = np.flatnonzero((corners[..., 2] > 0).all(1))
    corners = corners[before]
    # The back of a closed surface lies behind its front: half of the work for nothing.
    facing = (area_vectors(corners) * corners[:, 0]).sum(-1) < 0
    corners = corners[facing]
    xy = corners[..., :2] / corners[..., 2:] @ K[:2, :2].T + K[:2, 2]
    raster = rasterised(xy, 1 / corners[..., 2], size)
    # The last entry stands for -1, no triangle.
    return Raster(np.append(before[facing], -1).astype(np.int32)[raster.face], raster.weights, raster.depth)


def rasterised(xy: np.ndarray, nearness: np.ndarray, size: tuple[int, int]) -> Raster:
    """Return the nearest of triangles with corners xy (F, 3, 2) in pixels and 1 / z (F, 3) on a grid of
    `size` (width, height). Their winding does not matter.
    """
    width, height = size
    face = np.full(height * width, -1, np.int32)
    weights = np.zeros((height * width, 3), np.float32)
    nearest = np.zeros(height * width)
    for pixel, triangle, share, near in _covered_pixels(xy, nearness, size):
        # Farthest first, so that of several writers of a pixel the nearest is the last; the sort is stable,
        # so that equal ones come out alike on every machine.
        order = np.argsort(near, kind="stable")
        order = order[near[order] > nearest[pixel[order]]]
        at = pixel[order]
        nearest[at], face[at], weights[at] = near[order], triangle[order], share[order]
    with np.errstate(divide="ignore"):
        depth = (1 / nearest).astype(np.float32)
    return Raster(
        face.reshape(height, width), weights.reshape(height, width, 3), depth.reshape(height, width)
    )


def _covered_pixels(
    xy: np.ndarray, nearness: np.ndarray, size: tuple[int, int]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield flat pixels (n,), the triangles (n,) that cover their centres, shares (n, 3) of the corners and
    1 / z (n,), in pieces.

    Triangles with boxes of one size are looked at together, so that nothing is looped over but some sizes.
    """
    low = np.maximum(np.ceil(xy.min(1) - _ON_EDGE), 0).astype(np.int64)
    high = np.minimum(np.floor(xy.max(1) + _ON_EDGE), np.array(size) - 1).astype(np.int64)
    sides = high - low + 1
    # Twice the signed area; without one a triangle covers no pixel.
    area = _cross(xy[:, 1] - xy[:, 0], xy[:, 2] - xy[:, 0])
    shown = np.flatnonzero((sides > 0).all(1) & (area != 0))
    exponents = np.ceil(np.log2(np.maximum(sides[shown], 1))).astype(int)
    for shape in np.unique(exponents, axis=0):
        group = shown[(exponents == shape).all(1)]
        columns, rows = 1 << shape
        y, x = np.divmod(np.arange(columns * rows), columns)
        at_once = max(1, _PIXELS_AT_ONCE // (columns * rows))
        for start in range(0, len(group), at_once):
            chosen = group[start : start + at_once]
            px, py = low[chosen, :1] + x, low[chosen, 1:] + y
            at = np.stack([px, py], -1) - xy[chosen, None, 0]
            second = _cross(at, (xy[chosen, 2] - xy[chosen, 0])[:, None]) / area[chosen, None]
            third = _cross((xy[chosen, 1] - xy[chosen, 0])[:, None], at) / area[chosen, None]
            inside = (np.minimum(second, third) >= -_ON_EDGE) & (second + third <= 1 + _ON_EDGE)
            inside &= (px <= high[chosen, :1]) & (py <= high[chosen, 1:])
            own, place = np.nonzero(inside)
            flat = np.stack([1 - second[inside] - third[inside], second[inside], third[inside]], -1)
            # 1 / z is linear in the picture; shares on the surface are those in the picture times 1 / z.
            by_corner = flat * nearness[chosen[own]]
            near = by_corner.sum(-1)
            yield py[own, place] * size[0] + px[own, place], chosen[own], by_corner / near[:, None], near


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
