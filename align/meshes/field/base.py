"""Closing what no camera sees.

A ring of cameras above an object never sees its base, and the cones of its silhouettes meet far below it: a
quarter of the unit below a pot of two units. A plane that touches the observed surface, with every camera
behind it, hides nothing that a camera could have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from align.meshes.field.lattice import (
    RADIUS,
    SIDE,
    DistanceField,
    block_middles,
    block_nodes,
    blocks_of,
    read_blocks,
    write_blocks,
)
from align.meshes.field.projection import grid_pixels, projected
from align.meshes.field.votes import ViewVotes

_DIRECTIONS = 600
_OBSERVED, _VOTES, _VOTES_A_VIEW = 1.0, 2.0, 1 / 12
"""Largest distance in voxels, and least votes, of nodes that are taken for the observed surface: in all, or a
view where there are few. Half a vote leaves a pot's base twice as far off; two of 8 views cut a ball in half,
since few of them look at its lower side."""
_MARGIN = 1.5
"""Voxels by which the planes are moved out. 4 leave a pot's base twice as far off; 0.5 cut its foot."""
_GAP_PX = 3
"""Side of the square that closes the gaps between the nodes' pixels."""
_LACKING, _LACKING_QUANTILE = 0.001, 0.9
"""Share of the silhouettes that planes may uncover, and of the uncovered pixels that are covered again."""
_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class Planes:
    """Planes that close what no camera sees; the object lies behind all."""

    normals: np.ndarray  # (m, 3) float32, outward
    offsets: np.ndarray  # (m,) float32, voxels from the lattice's first node

    def beyond(self, places: np.ndarray) -> np.ndarray:
        """Return how far (n,) float32 places (n, 3) are beyond the nearest plane, all in voxels."""
        if len(self.normals) == 0:
            return np.full(len(places), -np.inf, np.float32)
        return (places @ self.normals.T - self.offsets).max(1)


def unseen_planes(field: DistanceField, centres: np.ndarray) -> Planes:
    """Return the planes that touch the observed surface and have all cameras, at centres (V, 3), behind
    them; none where something looks from every side.
    """
    values = read_blocks(field.values, field.blocks)
    observed = (np.abs(values) < _OBSERVED) & (field.weight > min(_VOTES, _VOTES_A_VIEW * len(centres)))
    some = observed.any(1)
    places = block_nodes(field.lattice, field.blocks[some])[observed[some]]
    cameras = ((centres - field.lattice.origin) / field.lattice.spacing).astype(np.float32)
    found = _touching(_evenly(_DIRECTIONS), places, cameras)
    if len(found.normals) == 0:
        return found
    # Straight down is none of the directions, and the base is flat there.
    middle = found.normals.mean(0, keepdims=True)
    more = _touching(middle / np.maximum(np.linalg.norm(middle), 1e-6), places, cameras)
    return Planes(
        np.concatenate([found.normals, more.normals]), np.concatenate([found.offsets, more.offsets])
    )


def _touching(directions: np.ndarray, places: np.ndarray, cameras: np.ndarray) -> Planes:
    """Return the planes across directions (m, 3) that touch places (n, 3) and have all cameras (V, 3) behind
    them.
    """
    reach = np.full(len(directions), -np.inf, np.float32)
    for start in range(0, len(places), _AT_ONCE):
        np.maximum(reach, (places[start : start + _AT_ONCE] @ directions.T).max(0), out=reach)
    unseen = (cameras @ directions.T).max(0) < reach
    return Planes(directions[unseen], reach[unseen] + np.float32(_MARGIN))


def covering(planes: Planes, field: DistanceField, votes: Sequence[ViewVotes]) -> Planes:
    """Return the planes moved out together until what they leave covers the silhouettes, as it should below a
    round object: near its outline no depth is sure, and the observed surface ends above.
    """
    if len(planes.normals) == 0:
        return planes
    solid = read_blocks(field.values, field.blocks) < 0
    some = solid.any(1)
    places = block_nodes(field.lattice, field.blocks[some])[solid[some]]
    beyond = _in_parts(planes, places)
    places = np.ascontiguousarray(places.T)
    lacking, pixels = [np.zeros(0, np.float32)], 0
    for view in votes:
        if view.outline is None:
            continue
        pixel, shown = grid_pixels(view, projected(view, field.lattice, places))
        # Every camera is behind every plane: where a ray enters the object it is least beyond them.
        least = np.full(view.mask.size, np.inf, np.float32)
        np.minimum.at(least, pixel[shown], beyond[shown])
        least = cv2.erode(least.reshape(view.mask.shape), np.ones((_GAP_PX, _GAP_PX)))
        lacking.append(least[view.mask & (least > 0) & np.isfinite(least)])
        pixels += int(view.mask.sum())
    found = np.concatenate(lacking)
    if len(found) <= _LACKING * pixels:
        return planes
    return replace(planes, offsets=planes.offsets + np.float32(np.quantile(found, _LACKING_QUANTILE)))


def close_base(field: DistanceField, planes: Planes, truncation: float) -> DistanceField:
    """Return the field, empty beyond every plane."""
    if len(planes.normals) == 0:
        return field
    values = field.values.copy()
    every = np.arange(int(np.prod(blocks_of(field.lattice))))
    beyond = _in_parts(planes, block_middles(field.lattice, every))
    empty = every[beyond >= RADIUS]
    write_blocks(values, empty, np.full((len(empty), 1), truncation, np.float32))
    cut = every[np.abs(beyond) < RADIUS]
    places = block_nodes(field.lattice, cut).reshape(-1, 3)
    own = np.minimum(_in_parts(planes, places), np.float32(truncation)).reshape(-1, SIDE**3)
    write_blocks(values, cut, np.maximum(read_blocks(values, cut), own))
    return replace(field, values=values)


def _in_parts(planes: Planes, places: np.ndarray) -> np.ndarray:
    parts = [planes.beyond(places[start : start + _AT_ONCE]) for start in range(0, len(places), _AT_ONCE)]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def _evenly(count: int) -> np.ndarray:
    """Return unit vectors (count, 3) float32 spread evenly, on a spiral of golden angles."""
    k = np.arange(count)
    z = 1 - (2 * k + 1) / count
    turn = np.pi * (3 - 5**0.5) * k
    across = np.sqrt(1 - z * z)
    return np.stack([across * np.cos(turn), across * np.sin(turn), z], -1).astype(np.float32)
