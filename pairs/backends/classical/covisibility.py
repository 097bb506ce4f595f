"""Which pairs are worth aligning when nobody said: the views that share most of the solved scene."""

from __future__ import annotations

import networkx
import numpy as np

from pairs.backends.classical.sfm.solve import SceneSolve, shared_points

PARTNERS = 6
"""Pairs a view, as many as a cyclic window of three gives; more cost time in proportion and move no pose."""
LEAST_SHARED = 8
"""Scene points that two views must share to say anything about each other."""


def covisible_graph(solve: SceneSolve, num_views: int) -> networkx.Graph:
    """Return the graph on all views that ties every placed one to the few with which it shares most scene
    points.

    Ties go to the earlier view. The maximum spanning tree is in it, so that it does not fall apart where many
    near-identical photos choose only each other, and a view that shares little with all others keeps its best
    partner.
    """
    shared = shared_points(solve)
    # Where many photos are almost one, each chooses only its twins: the tree ties such clusters to the rest
    # by their best pairs.
    tree = networkx.maximum_spanning_edges(networkx.from_numpy_array(shared), data=False)
    chosen = [
        (k, int(j))
        for k, row in enumerate(shared)
        for j in np.argsort(-row, kind="stable")[:PARTNERS]
        if row[j] >= LEAST_SHARED
    ]
    graph = networkx.Graph()
    graph.add_nodes_from(range(num_views))
    graph.add_edges_from((solve.placed[a], solve.placed[b]) for a, b in (*tree, *chosen))
    return graph
