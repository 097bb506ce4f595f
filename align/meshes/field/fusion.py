"""What all views say about places, and where it is asked (B. Curless and M. Levoy, A volumetric method for
building complex models from range images, SIGGRAPH 1996; A. Laurentini, The visual hull concept, PAMI 16,
1994).

Depths alone leave holes and an open base; silhouettes alone fill every concavity. Together they close the
surface: what no view sees, and every silhouette allows, is solid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from align.meshes.field.lattice import (
    RADIUS,
    SIDE,
    DistanceField,
    block_middles,
    block_nodes,
    blocks_of,
    write_blocks,
)
from align.meshes.field.projection import outside_cone, projected
from align.meshes.field.votes import ViewVotes, usable_points
from align.meshes.options import MeshOptions
from masks.progress import Progress
from pairs.silhouettes.visual_hull import Lattice, sampled

_BLOCKS_AT_ONCE = 1 << 12
_FULL_VOTE = 1.5
"""Voxels behind the surface up to which a vote is full; from there it fades until it is none."""
_USABLE = 0.95
"""Share of usable pixels in a bilinear sample that counts."""


class Said(NamedTuple):
    """What all views say about places."""

    value: np.ndarray  # (n,) float32, voxels, negative inside
    weight: np.ndarray  # (n,) float32, votes
    hull: np.ndarray  # (n,) float32, voxels from the cones of all silhouettes, negative inside


def fuse(
    votes: Sequence[ViewVotes], lattice: Lattice, options: MeshOptions, progress: Progress
) -> DistanceField:
    """Return the field of all votes on a lattice."""
    every = np.arange(int(np.prod(blocks_of(lattice))))
    middles = block_middles(lattice, every)
    coarse = _said_of_all(votes, lattice, middles, options)
    blocks = every[_near_surface(votes, lattice, coarse)]
    values = np.empty(lattice.shape, np.float32)
    write_blocks(values, every, coarse.value[:, None])
    weight = np.empty((len(blocks), SIDE**3), np.float32)
    hull = np.empty_like(weight)
    for start in range(0, len(blocks), _BLOCKS_AT_ONCE):
        part = slice(start, start + _BLOCKS_AT_ONCE)
        said = said_at(votes, lattice, block_nodes(lattice, blocks[part]).reshape(-1, 3), options)
        write_blocks(values, blocks[part], said.value.reshape(-1, SIDE**3))
        weight[part] = said.weight.reshape(-1, SIDE**3)
        hull[part] = said.hull.reshape(-1, SIDE**3)
        progress("fusing the surface", min(start + _BLOCKS_AT_ONCE, len(blocks)), len(blocks))
    return DistanceField(lattice, values, blocks, weight, hull)


def said_at(votes: Sequence[ViewVotes], lattice: Lattice, places: np.ndarray, options: MeshOptions) -> Said:
    """Return what the views say about places (n, 3) float32, in voxels from the lattice's first node."""
    votes_sum = np.zeros(len(places), np.float32)
    distance_sum = np.zeros_like(votes_sum)
    hull = np.full_like(votes_sum, -options.truncation)
    places = np.ascontiguousarray(places.T)
    for view in votes:
        at = projected(view, lattice, places)
        depth, usable, weight, slant = sampled(view.depth, at.x, at.y, cv2.BORDER_CONSTANT).T
        s = (depth - at.z) * slant / np.float32(lattice.spacing)
        s = np.minimum(s, np.float32(options.truncation))
        fading = np.float32(options.behind - _FULL_VOTE)
        vote = weight * np.clip((s + np.float32(options.behind)) / fading, 0, 1)
        vote[(usable < _USABLE) | ~at.ahead] = 0
        votes_sum += vote
        distance_sum += vote * s
        if view.outline is not None:
            np.maximum(hull, outside_cone(view, lattice, at), out=hull)
    # A prior of full strength everywhere would move every observed surface out: by a fifth of a voxel at five
    # votes.
    prior = np.float32(options.prior) / (1 + votes_sum)
    value = (distance_sum - prior * options.truncation) / (votes_sum + prior)
    value = np.clip(np.maximum(value, hull), -options.truncation, options.truncation)
    return Said(value.astype(np.float32), votes_sum, hull)


def _said_of_all(
    votes: Sequence[ViewVotes], lattice: Lattice, places: np.ndarray, options: MeshOptions
) -> Said:
    at_once = _BLOCKS_AT_ONCE * SIDE**3
    parts = [
        said_at(votes, lattice, places[start : start + at_once], options)
        for start in range(0, len(places), at_once)
    ]
    return Said(*map(np.concatenate, zip(*parts)))


def _near_surface(votes: Sequence[ViewVotes], lattice: Lattice, coarse: Said) -> np.ndarray:
    """Return which blocks (B,) a surface may run through, by what is said of their middles."""
    shape = blocks_of(lattice)
    holds = np.zeros(shape, bool)
    for view in votes:
        points = (usable_points(view) - lattice.origin) / (SIDE * lattice.spacing)
        block = np.floor(points + 0.5 / SIDE).astype(np.int32)
        block = block[((block >= 0) & (block < shape)).all(-1)]
        holds[tuple(block.T)] = True
    solid = (coarse.value < 0).reshape(shape)
    around = np.ones((3, 3, 3), bool)
    uneven = maximum_filter(solid, footprint=around) > minimum_filter(solid, footprint=around)
    near = np.logical_or(maximum_filter(holds, footprint=around), uneven)
    return (near.ravel() | (np.abs(coarse.hull) <= RADIUS)) & (coarse.hull <= RADIUS)
