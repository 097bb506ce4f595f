"""A start without known cameras: rotations, scales and translations of all views averaged over all pairs
(docs/bundle_alignment.md, "Rotation averaging").
"""

from __future__ import annotations

import networkx
import numpy as np

from align.initial.loop_consistency import Triplets, edge_weights
from align.initial.relative_poses import RelativePoses
from align.initial.spanning_tree import maximum_spanning_tree, rooted_at
from align.initial.start import Start
from align.rotations import nearest_rotation, rotation_of, rotation_vector

_FIRST_RAD, _LAST_RAD, _SHRINK, _ROUNDS = np.deg2rad(20.0), np.deg2rad(2.0), 0.6, 15
"""Kernel width: from wide, as a chain along the tree piles up several degrees on a ring, to the size of right
pairs' errors after five rounds; the others settle it. Weights 1 / |r| instead give the same."""
_REJECT_RAD = np.deg2rad(10.0)
"""A pair whose rotation differs by more from that of its views is taken for wrong. It changes the median
rotation of honest scenes by 0.03 degrees at most, and exposes pairs of look-alike sides."""
_DOUBT_RAD = np.deg2rad(5.0)
"""Pairs halfway to rejection weigh a quarter in what follows."""
_LOG_SCALE_WIDTH = 0.1
"""Kernel width of log scales."""
_TRANSLATION_WIDTH = 0.05
"""Kernel width of translations, of the object's distance."""
_ROBUST_ROUNDS = 10
"""Of reweighting, for scales and for translations."""
_WITHOUT_POSE = 1e-6
"""Of the least score: a pair without a pose ties views that nothing else does."""
_TIE = 1e-12
"""Weight of the tie to the value at the start: it decides only what no pair does."""


def averaged_start(pairs: RelativePoses, triplets: Triplets, num_views: int) -> Start:
    """Return where the views stand by robust averages over all pairs. Raises `GraphError` when the pairs do
    not tie all views together.
    """
    weight = edge_weights(pairs, triplets)
    scores = np.zeros((num_views, num_views))
    i, j = pairs.pair.T
    scores[i, j] = scores[j, i] = weight
    i, j = pairs.without_pose.T
    scores[i, j] = scores[j, i] = _WITHOUT_POSE * weight[weight > 0].min(initial=1.0)
    # Reached from the strongest view, the chains of the start are short where it matters.
    root = int(scores.sum(1).argmax())
    R = chained_rotations(pairs, scores, root)
    R, error = averaged_rotations(pairs, weight, R, root)
    rejected, whole = rejected_pairs(pairs, error, num_views)
    weight = np.where(rejected, 0, weight * (1 + (error / _DOUBT_RAD) ** 2) ** -2.0)
    log_scale = averaged_scales(pairs, weight, num_views)
    t = averaged_translations(pairs, weight, R, log_scale, root)
    return Start(R, t, log_scale, root, rejected, not whole)


def rejected_pairs(pairs: RelativePoses, error: np.ndarray, num_views: int) -> tuple[np.ndarray, bool]:
    """Return which pairs (E,) to reject for their errors (E,) in radians: none where the graph would fall
    apart, which is also told.
    """
    rejected = error >= _REJECT_RAD
    kept, every = (
        num_components(np.concatenate([pair, pairs.without_pose]), num_views)
        for pair in (pairs.pair[~rejected], pairs.pair)
    )
    # Views with known poses need no pairs to tie them all together.
    whole = kept == every
    return rejected & whole, whole


def chained_rotations(pairs: RelativePoses, scores: np.ndarray, root: int) -> np.ndarray:
    """Return rotations (V, 3, 3) along the maximum spanning tree of the symmetric scores (V, V); the root's
    camera is the world.

    Along a pair without a pose the rotation stays: such a view waits there for its re-initialisation.
    """
    R_i_from_j = {(int(i), int(j)): R_ij for (i, j), R_ij in zip(pairs.pair, pairs.R_i_from_j)}
    R_i_from_j |= {(j, i): R_ij.T for (i, j), R_ij in R_i_from_j.items()}
    R = np.tile(np.eye(3), (len(scores), 1, 1))
    for parent, child in rooted_at(root, len(scores), maximum_spanning_tree(scores).edges).edges:
        R[child] = R_i_from_j.get((child, parent), np.eye(3)) @ R[parent]
    return R


def num_components(pair: np.ndarray, num_views: int) -> int:
    """Return into how many sets the views fall that pairs (E, 2) tie together."""
    graph = networkx.empty_graph(num_views)
    graph.add_edges_from(pair.tolist())
    return networkx.number_connected_components(graph)


def averaged_rotations(
    pairs: RelativePoses, weight: np.ndarray, R: np.ndarray, root: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return rotations (V, 3, 3) and by what angle (E,) each pair differs from them; robust, from wide to
    narrow; the root stays.
    """
    # The chain along the tree may be off by tens of degrees where one of its pairs is wrong: the kernel is
    # wide at first, so that right pairs which disagree with the chain are heard, and narrow at the end.
    scale = _FIRST_RAD
    for _ in range(_ROUNDS):
        residual = rotation_residuals(pairs, R)
        w = weight * _redescending(np.linalg.norm(residual, axis=1), scale)
        # r - x_i + x_j = 0 for a turn exp(x) of each view about the world's axes.
        turn = _solve_graph(pairs.pair, w, residual, len(R))
        R = R @ rotation_of(turn - turn[root])
        scale = max(scale * _SHRINK, _LAST_RAD)
    # Fifteen products leave rounding behind.
    R = nearest_rotation(R)
    return R, np.linalg.norm(rotation_residuals(pairs, R), axis=1)


def rotation_residuals(pairs: RelativePoses, R: np.ndarray) -> np.ndarray:
    """Return log(R_i^T R_ij R_j) (E, 3)."""
    i, j = pairs.pair.T
    return rotation_vector(R[i].transpose(0, 2, 1) @ pairs.R_i_from_j @ R[j])


def averaged_scales(pairs: RelativePoses, weight: np.ndarray, num_views: int) -> np.ndarray:
    """Return log scales (V,) of mean 0 from the ratios of all directed predictions, robust."""
    pair, w, ratio = np.repeat(pairs.pair, 2, 0), np.repeat(weight, 2), pairs.log_ratio.ravel()
    present = pairs.usable.ravel()
    pair, w, ratio = pair[present], w[present], ratio[present]
    log_scale, robust = np.zeros(num_views), np.ones(len(w))
    for _ in range(_ROBUST_ROUNDS):
        log_scale = _solve_graph(pair, w * robust, ratio[:, None], num_views)[:, 0]
        robust = _redescending(log_scale[pair[:, 0]] - log_scale[pair[:, 1]] - ratio, _LOG_SCALE_WIDTH)
    return log_scale - log_scale.mean()


def averaged_translations(
    pairs: RelativePoses, weight: np.ndarray, R: np.ndarray, log_scale: np.ndarray, root: int
) -> np.ndarray:
    """Return translations (V, 3), the root's 0, such that the middles of the object coincide, robust.

    Each directed prediction names one physical point in both frames: a rotation that averaging has changed so
    turns about the object, not about the camera.
    """
    pair, offset = translation_differences(pairs, R, log_scale)
    w = np.repeat(weight, 2)[pairs.usable.ravel()]
    i, j = pair.T
    u, robust = np.zeros((len(R), 3)), np.ones(len(w))
    for _ in range(_ROBUST_ROUNDS):
        u = _solve_graph(pair, w * robust, offset, len(R))
        robust = _redescending(np.linalg.norm(u[i] - u[j] - offset, axis=1), _TRANSLATION_WIDTH)
    return np.einsum("vab,vb->va", R, u - u[root])


def translation_differences(
    pairs: RelativePoses, R: np.ndarray, log_scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the views (r, 2) of every usable direction and what it says of R_i^T t_i - R_j^T t_j (r, 3), in
    the
    world's axes.
    """
    pair, present, scale = np.repeat(pairs.pair, 2, 0), pairs.usable.ravel(), np.exp(log_scale)
    pair = pair[present]
    (i, j), point_i, point_j = (
        pair.T,
        pairs.point_i.reshape(-1, 3)[present],
        pairs.point_j.reshape(-1, 3)[present],
    )
    return pair, np.einsum("eba,eb->ea", R[i], scale[i, None] * point_i) - np.einsum(
        "eba,eb->ea", R[j], scale[j, None] * point_j
    )


def _redescending(residual: np.ndarray, scale: float) -> np.ndarray:
    """Return Geman-McClure's weights."""
    return (scale**2 / (scale**2 + residual**2)) ** 2


def _solve_graph(pair: np.ndarray, weight: np.ndarray, difference: np.ndarray, num_views: int) -> np.ndarray:
    """Return x (V, k) with x_i - x_j = difference (E, k) in the least squares, by the weighted graph
    Laplacian.

    Only differences of x mean anything.
    """
    i, j = pair.T
    cells = np.concatenate([i * num_views + i, j * num_views + j, i * num_views + j, j * num_views + i])
    laplacian = (
        np.bincount(cells, np.concatenate([weight, weight, -weight, -weight]), num_views**2)
        .reshape(num_views, num_views)
        .astype(float)
    )
    # A view whose pairs have all lost their weight, or the whole of it, would make the matrix singular.
    laplacian[np.diag_indices(num_views)] += _TIE * max(float(np.diagonal(laplacian).max()), 1e-30)
    flow = weight[:, None] * difference
    right = np.stack([np.bincount(i, f, num_views) - np.bincount(j, f, num_views) for f in flow.T], 1)
    return np.linalg.solve(laplacian, right)
