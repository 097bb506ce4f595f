"""Pairs by likeness: a few well-spread key views, and every view with its nearest ones (the sparse aligner's specification, chapter 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx
import numpy as np

from masks.errors import GraphError


@dataclass(frozen=True, slots=True, eq=False)
class Retrieval:
    """Key views with each other, every other view with its nearest key, and every view with its most alike ones."""

    similarity: np.ndarray  # (V, V), 1 for equal views
    num_anchors: int = 20
    """How many key views, chosen as far from each other as possible; 0 for none."""
    num_neighbours: int = 1
    """How many most alike views, the view itself included, are paired with each."""
    seed: int = 0
    """Chooses the first key view."""

    def edges(self, names: Sequence[str]) -> networkx.Graph:
        """Return the pairs. Raises `GraphError` when the similarities are those of another number of views."""
        num_views = len(names)
        if self.similarity.shape != (num_views, num_views):
            raise GraphError(f"similarities are {self.similarity.shape}, but there are {num_views} views. Compute them for these views.")
        first = int(np.random.default_rng(self.seed).integers(num_views))
        graph = networkx.Graph()
        graph.add_nodes_from(range(num_views))
        pairs = retrieval_pairs(self.similarity, self.num_anchors, self.num_neighbours, first)
        graph.add_edges_from(sorted({(min(pair), max(pair)) for pair in pairs}))
        return graph


def retrieval_pairs(similarity: np.ndarray, num_anchors: int, num_neighbours: int, first_anchor: int) -> list[tuple[int, int]]:
    """Return the reference's pairs in its order; pairs of key views come in the order of their selection and are not sorted."""
    distance = 1 - similarity
    pairs: dict[tuple[int, int], None] = {}
    if num_anchors:
        keys = spread_views(distance, num_anchors, first_anchor)
        pairs.update(((a, b), None) for k, a in enumerate(keys) for b in keys[k + 1 :])
        for view in range(len(distance)):
            if view not in keys:
                pairs[_sorted(view, keys[int(distance[view, keys].argmin())])] = None
    for view in range(len(distance)):
        # A stable sort: among equally alike views the first one counts.
        for other in np.argsort(distance[view], kind="stable")[:num_neighbours].tolist():
            if other != view:
                pairs[_sorted(view, other)] = None
    return list(pairs)


def spread_views(distance: np.ndarray, count: int, first: int) -> list[int]:
    """Return `count` views (all, if there are fewer), each the farthest from those before it; the first one wins ties."""
    chosen = [first]
    nearest = distance[first].copy()
    for _ in range(min(count, len(distance)) - 1):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, distance[chosen[-1]])
    return chosen


def _sorted(a: int, b: int) -> tuple[int, int]:
    return (min(a, b), max(a, b))
