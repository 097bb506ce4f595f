"""Nearest neighbours by brute force in tiles (docs/pair_networks.md, "Nearest neighbours"), and by a tree.

A finder is made for the descriptors among which it searches. Ties go to the smallest index, whatever the
tiles. Commands search by dot product; the distance, the tree and both ways at once are for parity with the
published searches.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from scipy.spatial import KDTree
from torch import Tensor

Finder = Callable[[Tensor], Tensor]
"""Returns for descriptors (N, D) the positions (N,) int64 of their nearest neighbours."""

MakeFinder = Callable[[Tensor], Finder]
"""Makes a finder for the descriptors (K, D), K > 0, among which it searches."""

Similarity = Callable[[Tensor, Tensor], Tensor]
"""Returns for descriptors (N, D) and (K, D) how alike they are (N, K): larger is nearer."""

# A tile of 4 MiB stays in a processor's cache between the product and the search for its maxima: six times
# faster than tiles of 8192 a side.
_TILE_CPU, _TILE_ACCELERATOR = 1024, 8192


def dot_products(a: Tensor, b: Tensor) -> Tensor:
    """Return the dot products (N, K)."""
    return a @ b.T


def closeness(a: Tensor, b: Tensor) -> Tensor:
    """Return the negative Euclidean distances (N, K)."""
    # Expanding |a - b|^2 into products would be faster, but rounds away the differences of near neighbours.
    return -torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def by_dot_product(among: Tensor, block: int | None = None) -> Finder:
    """Make a finder of the largest dot product. Memory: one tile of `block` x `block` products; by default a
    size that suits the device.
    """
    return lambda asked: nearest(asked, among, dot_products, block)


def by_distance(among: Tensor, block: int | None = None) -> Finder:
    """Make a finder of the smallest Euclidean distance, in tiles like `by_dot_product`."""
    return lambda asked: nearest(asked, among, closeness, block)


def by_tree(among: Tensor) -> Finder:
    """Make a finder of the smallest Euclidean distance with a KD-tree, on the processor: for few dimensions,
    such as points.
    """
    tree = KDTree(among.detach().cpu().numpy())
    return lambda asked: torch.as_tensor(
        tree.query(asked.detach().cpu().numpy())[1], dtype=torch.int64, device=asked.device
    )


def nearest(asked: Tensor, among: Tensor, similarity: Similarity, block: int | None = None) -> Tensor:
    """Return for descriptors (N, D) the positions (N,) of their likest ones among (K, D), K > 0."""
    block = block or _tile(asked)
    parts = []
    for part in asked.split(block):
        best, index = _nothing_yet(part)
        for start in range(0, len(among), block):
            _improve(best, index, similarity(part, among[start : start + block]), start)
        parts.append(index)
    return torch.cat(parts) if parts else asked.new_zeros(0, dtype=torch.int64)


def nearest_both_ways(
    a: Tensor, b: Tensor, similarity: Similarity, block: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return the position (N,) in b of the likest descriptor for each one of a, and (K,) the reverse; neither
    may be empty.

    Every similarity is computed once. Memory: O(N + K) and one tile of `block` x `block`.
    """
    block = block or _tile(a)
    best_a, index_a = _nothing_yet(a)
    best_b, index_b = _nothing_yet(b)
    for row in range(0, len(a), block):
        for column in range(0, len(b), block):
            tile = similarity(a[row : row + block], b[column : column + block])
            _improve(best_a[row : row + block], index_a[row : row + block], tile, column)
            _improve(best_b[column : column + block], index_b[column : column + block], tile.T, row)
    return index_a, index_b


def _tile(tensor: Tensor) -> int:
    return _TILE_CPU if tensor.device.type == "cpu" else _TILE_ACCELERATOR


def _nothing_yet(asked: Tensor) -> tuple[Tensor, Tensor]:
    best = torch.full((len(asked),), -torch.inf, dtype=asked.dtype, device=asked.device)
    return best, torch.zeros(len(asked), dtype=torch.int64, device=asked.device)


def _improve(best: Tensor, index: Tensor, tile: Tensor, start: int) -> None:
    """Take over what a tile (N, k) has better than the best (N,) so far. Only strictly better: ties stay with
    the earlier tile.
    """
    highest = tile.amax(1)
    better = (highest > best).nonzero()[:, 0]
    # Where the maximum stands is asked only of rows that improve, about ln(tiles) times each: finding the
    # place is the slow half.
    best[better] = highest[better]
    index[better] = tile[better].argmax(1) + start
