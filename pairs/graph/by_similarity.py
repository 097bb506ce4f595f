"""Pairs by similarity: a few well-spread key views, and every view with its nearest ones.

See (docs/pair_networks.md, "Graphs by similarity").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx
import numpy as np

from masks.errors import GraphError
from pairs.graph.farthest_points import farthest_points

MOST_DIGITS = 9
"""Of a number in a graph's name: there are never so many views."""


@dataclass(frozen=True, slots=True, eq=False)
class SimilarityGraph:
    """Key views with each other, every other view with its nearest key, and every view with its most alike
    ones.
    """

    similarity: np.ndarray  # (V, V), 1 for equal views
    num_anchors: int = 20
    """How many key views, chosen as far from each other as possible; 0 for none."""
    num_neighbours: int = 1
    """How many most alike views, the view itself included, are paired with each."""
    seed: int = 0
    """Chooses the first key view."""

    def edges(self, names: Sequence[str]) -> networkx.Graph:
        """Return the pairs. Raises `GraphError` when the similarities are those of another number of
        views.
        """
        num_views = len(names)
        if self.similarity.shape != (num_views, num_views):
            raise GraphError(
                f"similarities are {self.similarity.shape}, but there are {num_views} views. Compute them "
                "for these views."
            )
        first = int(np.random.default_rng(self.seed).integers(num_views))
        graph = networkx.Graph()
        graph.add_nodes_from(range(num_views))
        pairs = retrieval_pairs(self.similarity, self.num_anchors, self.num_neighbours, first)
        graph.add_edges_from(sorted({(min(pair), max(pair)) for pair in pairs}))
        return graph


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The pairs of a `SimilarityGraph`, asked for before the similarity of the views is known."""

    num_anchors: int = 20
    """How many key views, chosen as far from each other as possible; 0 for none."""
    num_neighbours: int = 10
    """How many most alike views, the view itself included, are paired with each."""
    seed: int = 0
    """Chooses the first key view."""

    def __post_init__(self) -> None:
        if self.num_anchors < 2 and self.num_neighbours < 2:
            raise GraphError(
                f"retrieval:{self.num_anchors},{self.num_neighbours} pairs nothing: give two key views or "
                "more, or two neighbours or more "
                "(a view is the first of its own neighbours), as in retrieval:20,10."
            )

    def edges(self, names: Sequence[str]) -> networkx.Graph:
        """Raise `GraphError`: only a backend that knows how alike the views are can answer."""
        raise GraphError(
            f"retrieval:{self.num_anchors},{self.num_neighbours} needs to know how alike the {len(names)} "
            "views are. "
            "Choose a backend that has a retrieval model, or another graph such as complete."
        )

    def with_similarity(self, similarity: np.ndarray) -> SimilarityGraph:
        """Return the graph of views of that similarity (V, V)."""
        return SimilarityGraph(similarity, self.num_anchors, self.num_neighbours, self.seed)


def parse_retrieval(fields: str) -> Retrieval | None:
    """Return the graph of `KEYS,NEIGHBOURS`, as in `20,10`, or of an empty text; none when it is written
    otherwise.
    """
    numbers = fields.split(",") if fields else []
    if len(numbers) not in (0, 2) or not all(
        number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS for number in numbers
    ):
        return None
    return Retrieval(*map(int, numbers))


def retrieval_pairs(
    similarity: np.ndarray,
    num_anchors: int,
    num_neighbours: int,
    first_anchor: int,
    least_distance: float = -np.inf,
) -> list[tuple[int, int]]:
    """Return the reference's pairs in its order; pairs of key views come in the order of their selection and
    are not sorted.
    """
    # Similarities are not symmetric (asking and being found use different numbers of words): rows ask. ASMK's
    # self-similarity is not 1 either, so a view need not be its own nearest.
    distance = 1 - similarity
    pairs: dict[tuple[int, int], None] = {}
    if num_anchors:
        keys = farthest_points(distance, num_anchors, first_anchor, least_distance).views
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


def _sorted(a: int, b: int) -> tuple[int, int]:
    return (min(a, b), max(a, b))
