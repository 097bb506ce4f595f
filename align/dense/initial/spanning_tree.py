"""One world from pair predictions, along the tree of the most confident pairs
(docs/dense_alignment.md, "Start").
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import networkx
import numpy as np
import torch
from torch import Tensor

from align.dense.initial.pnp import place_camera
from align.dense.initial.registration import UNMOVED, Similarity, carry_points, register_points, rigid_part
from align.dense.options import DenseOptions
from align.dense.problem import DenseProblem, DirectedPair, in_full, view_confidences
from align.initial.spanning_tree import strongest_edges
from align.measurements.focal import masked_focal
from masks.errors import GraphError
from masks.notice import first_few

LEAST_PIXELS = 3
"""Fewer do not fix a similarity."""


@dataclass(frozen=True, slots=True)
class PlacedMap:
    """A view's points in the world; where `present` is false, they mean nothing."""

    points: Tensor  # (H, W, 3)
    present: Tensor  # (H, W) bool


@dataclass(frozen=True, slots=True)
class TreeWorld:
    """All views in one world: that of the tree's strongest pair, in the frame and scale of its first view, or
    of whoever has seen all views.
    """

    maps: tuple[PlacedMap, ...]
    world_from_cam: tuple[Tensor | None, ...]
    """(4, 4) each; none where neither the tree nor the view's points place the camera."""
    focals: tuple[float | None, ...]
    order: tuple[int, ...]
    """Edges of the tree in the order in which they were placed; none where there was no tree."""


def pair_scores(problem: DenseProblem) -> Tensor:
    """Return the product of both views' mean confidences (E,), absent pixels apart; 0 where a view has fewer
    than three pixels.
    """
    return torch.tensor(
        [mean_confidence(pair.conf_i) * mean_confidence(pair.conf_j) for pair in problem.pairs],
        dtype=torch.float64,
    )


def mean_confidence(conf: Tensor) -> float:
    """Return the mean over the pixels that are present, 0 of fewer than three."""
    present = int((conf > 0).sum())
    return (in_full(conf).sum() / present).item() if present >= LEAST_PIXELS else 0.0


def parts(problem: DenseProblem, scores: Tensor) -> list[list[int]]:
    """Return the parts into which the pairs with a score leave the views, the largest first."""
    graph = networkx.Graph()
    graph.add_nodes_from(range(problem.num_views))
    graph.add_edges_from(edge for edge, score in zip(problem.edges, scores.tolist()) if score > 0)
    return sorted(map(sorted, networkx.connected_components(graph)), key=lambda part: (-len(part), part))


def grow_world(problem: DenseProblem, scores: Tensor, centres: Tensor) -> TreeWorld:
    """Return the world along the tree: every pair's points are registered, with their confidences, onto those
    of the view that is placed already, and place the other view. `centres` are principal points (V, 2).

    Only views that are the first of a pair of the tree get a camera. Raises `GraphError` with the names of
    the parts when the pairs do not tie all views together.
    """
    waiting = deque(_tree(problem, scores))
    maps: dict[int, PlacedMap] = {}
    poses: dict[int, Tensor] = {}
    focals: dict[int, float | None] = {}
    order: list[int] = []
    last: DirectedPair | None = None
    last_view = 0
    while waiting:
        edge = waiting.popleft()
        (i, j), pair = problem.edges[edge], problem.pairs[edge]
        if focals.get(i) is None:
            # As published, whoever's map it is: that of the pair placed before is mostly another view's.
            focals[i] = own_focal(last or pair, centres[last_view if last else i])
        if last is None:
            found = UNMOVED
        elif i in maps or j in maps:
            found = _registered(problem, edge, pair, (maps.get(i), maps.get(j)))
        else:
            waiting.append(edge)
            continue
        for view, points, conf in _sides((i, j), pair):
            maps.setdefault(view, PlacedMap(carry_points(found, points), conf > 0))
        poses.setdefault(i, rigid_part(found))
        order.append(edge)
        last, last_view = pair, i
    views = range(problem.num_views)
    return TreeWorld(
        tuple(maps[view] for view in views),
        tuple(poses.get(view) for view in views),
        tuple(focals.get(view) for view in views),
        tuple(order),
    )


def complete_world(
    world: TreeWorld, problem: DenseProblem, scores: Tensor, centres: Tensor, options: DenseOptions
) -> TreeWorld:
    """Return the world with focals of all views that are first in a pair, and the other cameras by
    perspective-n-point on the points of their confident pixels.
    """
    focals, poses = list(world.focals), list(world.world_from_cam)
    for edge in scores.argsort(descending=True, stable=True).tolist():
        i, _ = problem.edges[edge]
        if focals[i] is None:
            focals[i] = own_focal(problem.pairs[edge], centres[i])
    missing = [view for view, pose in enumerate(poses) if pose is None]
    confidences = view_confidences(problem) if missing else []
    # Confidence is on a scale of the network's own: if no pixel of any view is above the threshold, that
    # tells nothing of the pixels.
    least = options.min_conf if any(bool((conf > options.min_conf).any()) for conf in confidences) else 0
    for view in missing:
        placed = world.maps[view]
        mask = (confidences[view] > least) & placed.present
        found = place_camera(placed.points, mask, focals[view], centres[view], options.pnp_iterations)
        if found is not None:
            focals[view], poses[view] = found.focal, found.world_from_cam
    return replace(world, world_from_cam=tuple(poses), focals=tuple(focals))


def register_pairs(problem: DenseProblem, world: TreeWorld) -> tuple[list[Similarity], list[PlacedMap]]:
    """Return world_from_pair of all pairs, and the maps with those pixels filled that the tree's pairs
    lacked.

    A pair is registered by its first view, by the second one where the first shares too few pixels with the
    world. Raises `GraphError` for a pair without such pixels.
    """
    maps, found = list(world.maps), []
    for number, ((i, j), pair) in enumerate(zip(problem.edges, problem.pairs)):
        found.append(_registered(problem, number, pair, (world.maps[i], world.maps[j])))
        for view, points, conf in _sides((i, j), pair):
            # Points that are not finite are absent pair by pair: another pair may know the pixel.
            gaps = (conf > 0) & ~maps[view].present
            if bool(gaps.any()):
                moved = carry_points(found[-1], points)
                filled = torch.where(gaps[..., None], moved, maps[view].points)
                maps[view] = PlacedMap(filled, maps[view].present | gaps)
    return found, maps


def _tree(problem: DenseProblem, scores: Tensor) -> list[int]:
    """Return the edges of the strongest tree, the strongest first."""
    matrix = np.zeros((problem.num_views, problem.num_views))
    number_of = {}
    for number, (edge, score) in enumerate(zip(problem.edges, scores.tolist())):
        matrix[edge], number_of[edge] = score, number
    edges = strongest_edges(matrix)
    if not edges or len(edges) != problem.num_views - 1:
        named = (first_few([problem.name(view) for view in part]) for part in parts(problem, scores))
        raise GraphError(
            f"the pairs do not tie the views together. Their parts: {'; '.join(named)}. Add pairs between "
            "them, check the masks of views that stand alone, or align each part alone."
        )
    return [number_of[edge] for edge in sorted(edges, key=lambda edge: (matrix[edge], edge), reverse=True)]


def own_focal(pair: DirectedPair, centre: Tensor) -> float | None:
    """Return the focal of the first view's own map, for a principal point (2,)."""
    focal = masked_focal(in_full(pair.points_i), centre, pair.conf_i > 0, (0, math.inf)).item()
    return focal if 0 < focal < math.inf else None


def _sides(edge: tuple[int, int], pair: DirectedPair) -> list[tuple[int, Tensor, Tensor]]:
    """Return view, points and confidence of both sides."""
    return [
        (edge[0], in_full(pair.points_i), in_full(pair.conf_i)),
        (edge[1], in_full(pair.points_j), in_full(pair.conf_j)),
    ]


def _registered(
    problem: DenseProblem, number: int, pair: DirectedPair, placed: Sequence[PlacedMap | None]
) -> Similarity:
    """Return the similarity of a pair onto the map of its first view, else onto that of its second."""
    edge = problem.edges[number]
    for (_, points, conf), onto in zip(_sides(edge, pair), placed):
        if onto is not None:
            found = register_points(points, onto.points, torch.where(onto.present, conf, 0))
            if found is not None:
                return found
    i, j = map(problem.name, edge)
    raise GraphError(
        f"pair {i}, {j}: it shares fewer than three pixels with the pairs that place its views. Leave it "
        "out, or check the masks."
    )
