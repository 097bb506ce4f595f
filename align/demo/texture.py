"""The coat of the demo's object: a mosaic of glazed tiles, fixed to its surface.

Tiles are the Voronoi cells of points scattered evenly over the surface. Their corners and their many colours
give a feature detector something to hold on to at every place and several scales, as printed or painted
objects do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial import KDTree

from align.demo.shape import Shape, normals

_CANDIDATES = 12000
_SPACING = 0.052  # smallest distance of two tile centres, scene units
_JOINT = 0.006  # half width of the grout between tiles
_JOINT_COLOUR = np.array([0.80, 0.77, 0.70])
_GRAIN_CELLS = 32
_GRAIN_SIZE = 0.025  # edge of a cell of the glaze's grain, scene units

# sRGB of the glazes, by region: sea, sun, leaf, clay, cream. The last tone of each is the rare contrasting
# tile.
_GLAZES = np.array(
    [
        [(24, 62, 122), (38, 96, 160), (66, 134, 188), (20, 42, 86), (226, 226, 214)],
        [(222, 152, 42), (236, 182, 70), (204, 118, 34), (240, 206, 120), (148, 42, 32)],
        [(34, 110, 84), (66, 142, 92), (112, 168, 102), (22, 76, 66), (238, 214, 130)],
        [(172, 70, 44), (194, 98, 60), (142, 48, 36), (212, 130, 88), (30, 46, 80)],
        [(236, 228, 206), (206, 178, 132), (242, 238, 226), (160, 136, 104), (40, 104, 138)],
    ],
    np.float64,
)


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Tiles and glaze of one object."""

    centres: KDTree
    """Tile centres (T, 3) on the surface."""
    colours: np.ndarray  # (T, 3), linear light, 0 to 1
    grain: np.ndarray  # (G, G, G), brightness of the glaze around 1, repeats in space


def mosaic(shape: Shape, seed: int) -> Mosaic:
    """Lay tiles over a shape."""
    rng = np.random.default_rng(seed)
    centres = _scatter(shape, rng)
    region = _region(centres, rng)
    tone = rng.choice(_GLAZES.shape[1], len(centres), p=(0.28, 0.24, 0.2, 0.18, 0.1))
    glaze = _GLAZES[region, tone] * rng.uniform(0.86, 1.08, (len(centres), 1))
    grain = 1 + 0.10 * rng.standard_normal((_GRAIN_CELLS,) * 3)
    return Mosaic(KDTree(centres), (np.clip(glaze, 0, 255) / 255) ** 2.2, grain)


def albedo(coat: Mosaic, points: np.ndarray) -> np.ndarray:
    """Return the linear colour (N, 3), 0 to 1, at surface points (N, 3) of the object's frame."""
    distance, tile = coat.centres.query(points, k=2)
    first, second = coat.centres.data[tile[:, 0]], coat.centres.data[tile[:, 1]]
    # Distance to the plane half way between the two nearest centres: joints of equal width everywhere.
    to_joint = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * np.linalg.norm(second - first, axis=1))
    glazed = np.clip((to_joint - _JOINT) / (0.5 * _JOINT), 0, 1)[:, None]
    colour = glazed * coat.colours[tile[:, 0]] + (1 - glazed) * _JOINT_COLOUR**2.2
    grain = map_coordinates(coat.grain, (points / _GRAIN_SIZE).T, order=1, mode="grid-wrap")
    return np.clip(colour * grain[:, None], 0, 1)


def _scatter(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Return points on the surface, no two nearer than the spacing."""
    points = rng.uniform(shape.low, shape.high, (4 * _CANDIDATES, 3))
    points = points[np.abs(shape.distance(points)) < 0.1]
    for _ in range(4):
        points = points - shape.distance(points)[:, None] * normals(shape, points)
    points = points[np.abs(shape.distance(points)) < 1e-3][:_CANDIDATES]
    kept = np.ones(len(points), bool)
    for i, neighbours in enumerate(KDTree(points).query_ball_point(points, _SPACING)):
        if kept[i]:
            kept[[j for j in neighbours if j > i]] = False
    return points[kept]


def _region(centres: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the glaze family of each tile: bands over the height whose borders wave, a sun on the belly, a
    clay handle.
    """
    x, y, z = centres.T
    azimuth = np.arctan2(y, x)
    height = (
        z + 0.10 * np.sin(3 * azimuth + 0.8) + 0.05 * np.sin(7 * azimuth) + 0.02 * rng.standard_normal(len(z))
    )
    region = np.searchsorted((-0.80, -0.42, 0.02, 0.30, 0.62), height)
    region = np.array([3, 0, 4, 2, 3, 0])[region]
    for centre, size, family in (
        ((0.16, -0.60, -0.30), 0.30, 1),
        ((-0.1, 0.62, -0.16), 0.34, 3),
        ((0.35, 0.5, -0.55), 0.2, 1),
    ):
        region[np.linalg.norm(centres - np.array(centre), axis=1) < size] = family
    region[(x < -0.6) & (np.abs(y) < 0.12)] = 1
    region[(x > 0.66) & (np.abs(y) < 0.2)] = 0
    region[z > 0.78] = 1
    return region
