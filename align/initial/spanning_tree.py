"""The tree along which poses are chained (docs/sparse_alignment.md, "Spanning trees")."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from networkx.utils import UnionFind
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from masks.errors import GraphError

LINKAGES = ("ward", "average", "complete", "single", "weighted", "centroid", "median")

_ENOUGH_SHARE = 3  # a pair whose matches fill a third of the smaller view's anchors counts as certain


@dataclass(frozen=True, slots=True)
class Tree:
    """A rooted spanning tree of the views."""

    root: int
    edges: tuple[tuple[int, int], ...]
    """(parent, child), every parent before its children."""

    def __post_init__(self) -> None:
        placed = {self.root}
        for parent, child in self.edges:
            if parent not in placed or child in placed:
                raise ValueError(f"edge ({parent}, {child}) does not hang a new view on a placed one")
            placed.add(child)


def build_tree(scores: np.ndarray, sizes: np.ndarray, mode: str = "hclust-ward", subsample: int = 8) -> Tree:
    """Return the tree of the reference: `mst`, or `hclust-` and the name of a linkage.

    `scores` (V, V) are symmetric numbers of matches, 0 without a pair; `sizes` (V, 2) are (width, height).
    Raises `GraphError` when `mst` meets a graph of several parts; `hclust` links the parts although nothing
    ties them.
    """
    if mode == "mst":
        return maximum_spanning_tree(scores)
    method = mode.removeprefix("hclust-")
    if method == mode or method not in LINKAGES:
        raise ValueError(
            f"kinematic mode {mode!r} is not one of mst, {', '.join('hclust-' + name for name in LINKAGES)}"
        )
    return clustered_tree(scores, sizes, method, subsample)


def maximum_spanning_tree(scores: np.ndarray) -> Tree:
    """Return the tree of the best-matched pairs; among equals the first in row-major order wins."""
    edges = strongest_edges(scores)
    if len(edges) != len(scores) - 1:
        parts = len(scores) - len(edges)
        raise GraphError(
            f"the matched pairs leave the views in {parts} separate parts. Add pairs between them, or "
            "align each part alone."
        )
    return rooted(len(scores), edges)


def strongest_edges(scores: np.ndarray) -> list[tuple[int, int]]:
    """Return the edges of a maximum spanning tree, of a forest where the graph falls apart, the strongest
    first.

    An entry (row, column) that is not 0 is an edge in that direction; of both directions the better one
    counts, and among equals the first in row-major order.
    """
    rows, columns = np.nonzero(scores)
    order = np.argsort(-scores[rows, columns], kind="stable")
    trees = UnionFind(range(len(scores)))
    edges = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist()):
        if trees[row] != trees[column]:
            trees.union(row, column)
            edges.append((row, column))
    return edges


def clustered_tree(scores: np.ndarray, sizes: np.ndarray, method: str = "ward", subsample: int = 8) -> Tree:
    """Return the tree of an agglomerative clustering: each merge links the representatives of the two
    clusters.
    """
    num_anchors = (sizes // subsample).prod(axis=1)
    # Python's scalar division keeps the dtype of the scores, which decides ties in the clustering.
    certainty = np.minimum(
        1, scores / (_ENOUGH_SHARE * np.minimum.outer(num_anchors, num_anchors)).astype(scores.dtype)
    )
    np.fill_diagonal(certainty, 1)
    distance = np.where(certainty != 0, 1 - certainty, 2)
    np.fill_diagonal(distance, 0)
    representative = list(range(len(scores)))
    edges = []
    for x, y in (
        linkage(squareform(distance, checks=False), method=method)[:, :2].astype(int)
        if len(scores) > 1
        else ()
    ):
        a, b = representative[x], representative[y]
        edges.append((min(a, b), max(a, b)))
        better = a if certainty[a].sum() > certainty[b].sum() else b
        certainty[better] = np.maximum(certainty[a], certainty[b])
        representative.append(better)
    return rooted(len(scores), edges)


def rooted(num_views: int, edges: Iterable[tuple[int, int]]) -> Tree:
    """Return the tree of directed `edges` with the reference's root.

    The root is the view with the largest smaller rank from both ends of a longest walk, where a rank is a
    position in breadth-first order and not a number of hops.
    """
    neighbours = _neighbours(num_views, edges)
    last = _breadth_first(neighbours, 0)[-1][1]
    there = _breadth_first(neighbours, last)
    back = _breadth_first(neighbours, there[-1][1])
    rank = np.zeros((2, num_views), int)
    for row, walk in enumerate((there, back)):
        rank[row, [view for _, view in walk]] = np.arange(len(walk))
    root = int(rank.min(axis=0).argmax())
    return Tree(root, tuple(_breadth_first(neighbours, root)[1:]))


def rooted_at(root: int, num_views: int, edges: Iterable[tuple[int, int]]) -> Tree:
    """Return the tree of `edges` with a given root, in breadth-first order."""
    return Tree(root, tuple(_breadth_first(_neighbours(num_views, edges), root)[1:]))


def _neighbours(num_views: int, edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return every view's neighbours: targets of its outgoing edges ascending, then sources of the incoming
    ones ascending.
    """
    edges = list(edges)
    outgoing = [sorted(child for parent, child in edges if parent == view) for view in range(num_views)]
    incoming = [sorted(parent for parent, child in edges if child == view) for view in range(num_views)]
    return [there + back for there, back in zip(outgoing, incoming)]


def _breadth_first(neighbours: list[list[int]], start: int) -> list[tuple[int, int]]:
    """Return (predecessor, view) in the order of the visits; the start is its own predecessor."""
    walk, seen = [(start, start)], {start}
    for _, view in walk:
        for neighbour in neighbours[view]:
            if neighbour not in seen:
                seen.add(neighbour)
                walk.append((view, neighbour))
    return walk
