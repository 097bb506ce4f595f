"""Blocks of a lattice's nodes: only those that a surface may run through are worked out node by node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairs.silhouettes.visual_hull import Lattice

SIDE = 4
"""Nodes along a block. Of blocks of 4, 5 to 7 % hold a surface."""
RADIUS = 0.87 * SIDE
"""From a block's middle to its farthest node, and half a node more: in voxels."""


@dataclass(frozen=True, slots=True)
class DistanceField:
    """Signed distance from the object's surface, in voxels, negative inside."""

    lattice: Lattice  # its shape is a multiple of `SIDE`
    values: np.ndarray  # (X, Y, Z) float32, within plus and minus the truncation
    blocks: np.ndarray  # (B,) flat numbers of the blocks worked out node by node, ascending
    weight: np.ndarray  # (B, 64) float32, votes
    hull: np.ndarray  # (B, 64) float32, voxels from the cones of all silhouettes, negative inside


def blocks_of(lattice: Lattice) -> tuple[int, int, int]:
    """Return how many blocks there are along the axes."""
    x, y, z = lattice.shape
    return x // SIDE, y // SIDE, z // SIDE


def by_block(values: np.ndarray) -> np.ndarray:
    """Return a view (X / 4, Y / 4, Z / 4, 4, 4, 4) of values (X, Y, Z)."""
    x, y, z = (side // SIDE for side in values.shape)
    return values.reshape(x, SIDE, y, SIDE, z, SIDE).transpose(0, 2, 4, 1, 3, 5)


def read_blocks(values: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Return the values (B, 64) of blocks (B,) by their flat numbers."""
    split = by_block(values)
    return split[np.unravel_index(blocks, split.shape[:3])].reshape(len(blocks), SIDE**3)


def write_blocks(values: np.ndarray, blocks: np.ndarray, own: np.ndarray) -> None:
    """Put values (B, 64), or one for each block (B, 1), in the places of blocks (B,)."""
    split = by_block(values)
    cells = (SIDE,) * 3 if own.shape[1] > 1 else (1, 1, 1)
    split[np.unravel_index(blocks, split.shape[:3])] = own.reshape(len(blocks), *cells)


def block_middles(lattice: Lattice, blocks: np.ndarray) -> np.ndarray:
    """Return the middles (B, 3) float32 of blocks (B,), in voxels from the lattice's first node."""
    return np.float32(SIDE) * corners(lattice, blocks) + np.float32((SIDE - 1) / 2)


def block_nodes(lattice: Lattice, blocks: np.ndarray) -> np.ndarray:
    """Return the nodes (B, 64, 3) float32 of blocks (B,), in voxels from the lattice's first node."""
    within = np.stack(np.meshgrid(*[np.arange(SIDE, dtype=np.float32)] * 3, indexing="ij"), -1)
    return np.float32(SIDE) * corners(lattice, blocks)[:, None] + within.reshape(1, -1, 3)


def corners(lattice: Lattice, blocks: np.ndarray) -> np.ndarray:
    """Return the places (B, 3) float32 of blocks (B,) among all, counted in blocks."""
    return np.stack(np.unravel_index(blocks, blocks_of(lattice)), -1).astype(np.float32)
