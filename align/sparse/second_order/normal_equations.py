"""From the rows of observations to normal equations (the reference's losses by damped least squares)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from align.solver.adjoint import cross_matrix, minus_adjoint
from align.solver.least_squares import NormalEquations
from align.solver.runs import rank_in_run
from align.sparse.robust import Robust, robust_slope
from align.sparse.second_order.jacobians import POSE, SOURCE_CENTRE, TARGET_CENTRE, Row, Seen
from align.sparse.second_order.observations import TiledObservations
from align.sparse.second_order.state import ViewIntrinsics, pivots

_PER_VIEW = 10
_OWN_SCALE, _OWN_FOCAL, _OWN_CENTRE = 6, 7, slice(8, 10)
"""After the pose's six: the order of `shared_columns`."""


@dataclass(frozen=True, slots=True)
class EliminatedDepths:
    """The anchors whose depths are eliminated: up to B a view. Slot s of a view is its s-th partner."""

    anchor: np.ndarray  # (V, B) int; -1 is padding
    index: np.ndarray  # (A,) int, in its view; -1 for an anchor that is none
    slot: np.ndarray  # (V, V) int, of a direction (source, target); -1 where there is none
    num_slots: int


@dataclass(frozen=True, slots=True)
class SparseGrams:
    """Gram blocks: sums of products of weighted rows, and how rows follow from the unknowns of source and
    target.
    """

    obs: TiledObservations
    by_direction: np.ndarray  # (D, R, R)
    by_run: np.ndarray  # (U, R), products with the log depth's row; U = 0 where no depth is eliminated
    rows_from_unknowns: np.ndarray  # (D, R, 20), that of the error is 0


def eliminated_depths(
    all_obs: Sequence[TiledObservations], anchor_view: np.ndarray, free: np.ndarray
) -> EliminatedDepths:
    """Return the anchors on which observations hang, in the views (V,) whose depths are free."""
    used, slot = np.zeros(len(anchor_view), bool), np.full((len(free), len(free)), -1)
    for obs in all_obs:
        used[obs.run_anchor] = True
        slot[tuple(obs.direction.T)] = 0
    source, target = np.nonzero(slot == 0)
    slot[source, target] = rank_in_run(source)
    anchors = np.flatnonzero(used & free[anchor_view])
    view = anchor_view[anchors]
    rank = rank_in_run(view)
    anchor = np.full((len(free), int(rank.max(initial=-1)) + 1), -1)
    index = np.full(len(anchor_view), -1)
    anchor[view, rank], index[anchors] = anchors, rank
    return EliminatedDepths(anchor, index, slot, int(slot.max(initial=-1)) + 1)


def irls_weights(seen: Seen, weight: np.ndarray, robust: Robust, least: float) -> np.ndarray:
    """Return the weights (T, S) with which least squares have the robust function's gradient.

    Its own quadratic majoriser: far stiffer than the function where the distance is small, hence never
    surprised. Distances below `least` count as that.
    """
    distance = np.maximum(seen.distance, least)
    return weight * robust_slope(robust, torch.from_numpy(distance)).numpy() / distance


def row_products(
    obs: TiledObservations, rows: np.ndarray, weight: np.ndarray, with_depths: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of products of rows (T, R, K, S) by direction, and where depths are eliminated those
    with the log depth by run.
    """
    # The error is one of the rows: with the root on both sides, one product gives matrix and gradient.
    rows = rows * np.sqrt(weight)[:, None, None]
    num_tiles, num_rows, _, num_slots = rows.shape
    flat = rows.reshape(num_tiles, num_rows, -1)
    by_direction = np.add.reduceat(flat @ flat.transpose(0, 2, 1), obs.tile_start[:-1], axis=0)
    if not with_depths:
        return by_direction, np.zeros((0, num_rows))
    with_depth = np.einsum("trks,tks->rts", rows, rows[:, Row.LOG_DEPTH]).reshape(
        num_rows, num_tiles * num_slots
    )
    return by_direction, np.add.reduceat(with_depth, obs.run_start, axis=1).T


def rows_from_unknowns(
    obs: TiledObservations, R: np.ndarray, t: np.ndarray, intrinsics: ViewIntrinsics, num_rows: int
) -> np.ndarray:
    """Return how the rows of every direction with the relative pose R, t follow from the unknowns of source
    and target (D, R, 20).
    """
    source, target = obs.direction.T
    basis = pose_basis(pivots(intrinsics))
    from_unknowns = np.zeros((len(source), num_rows, 2 * _PER_VIEW))
    own, other = from_unknowns[..., :_PER_VIEW], from_unknowns[..., _PER_VIEW:]
    own[:, POSE, :7] = minus_adjoint(R, t) @ basis[source]
    other[:, POSE, :7] = basis[target]
    own[:, Row.LOG_DEPTH, _OWN_SCALE] = 1
    if obs.kind == "point-to-point":
        other[:, Row.TARGET_LOG_SCALE, _OWN_SCALE] = 1
        return from_unknowns
    if num_rows > Row.SOURCE_LOG_FOCAL:
        own[:, Row.SOURCE_LOG_FOCAL, _OWN_FOCAL], other[:, Row.TARGET_LOG_FOCAL, _OWN_FOCAL] = (
            intrinsics.focal_felt[source],
            intrinsics.focal_felt[target],
        )
    if num_rows > SOURCE_CENTRE.start:
        own[:, SOURCE_CENTRE, _OWN_CENTRE] = other[:, TARGET_CENTRE, _OWN_CENTRE] = np.eye(2)
    return from_unknowns


def pose_basis(pivot: np.ndarray) -> np.ndarray:
    """Return the left perturbation (V, 6, 7) of cam_from_world by a turn about the pivot, its shift, and
    growth about it.
    """
    basis = np.zeros((len(pivot), 6, 7))
    basis[:, :, :6] = np.eye(6)
    basis[:, 3:, :3] = cross_matrix(pivot)
    basis[:, 3:, 6] = pivot
    return basis


def shared_equations(grams: SparseGrams, columns: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix (N, N) and gradient (N,) of the shared unknowns; `columns` are those of the views (V,
    10).
    """
    transposed = grams.rows_from_unknowns.transpose(0, 2, 1)
    local = transposed @ grams.by_direction @ grams.rows_from_unknowns
    gradient = (transposed @ grams.by_direction[:, :, Row.ERROR, None])[..., 0]
    at = columns[grams.obs.direction].reshape(-1, 2 * _PER_VIEW)
    cells = at[:, :, None] * size + at[:, None]
    matrix = np.bincount(cells.ravel(), local.ravel(), size**2).reshape(size, size)
    return matrix, np.bincount(at.ravel(), gradient.ravel(), size)


def with_eliminated_depths(
    matrix: np.ndarray,
    gradient: np.ndarray,
    eliminated: EliminatedDepths,
    all_grams: Sequence[SparseGrams],
    columns: np.ndarray,
) -> NormalEquations:
    """Return the equations of all unknowns, given those (N, N), (N,) of the shared ones."""
    num_views, num_eliminated = eliminated.anchor.shape
    num_slots, num_rows, size = eliminated.num_slots, all_grams[0].rows_from_unknowns.shape[1], len(gradient)
    placed = np.zeros((num_views, num_slots, num_eliminated, num_rows))
    from_unknowns = np.zeros((num_views, num_slots, num_rows, 2 * _PER_VIEW))
    partner = np.full((num_views, num_slots), -1)
    for grams in all_grams:
        source, target = grams.obs.direction.T
        slot, index = eliminated.slot[source, target], eliminated.index[grams.obs.run_anchor]
        run = np.flatnonzero(index >= 0)
        direction = grams.obs.run_direction[run]
        placed[source[direction], slot[direction], index[run]] += grams.by_run[run]
        from_unknowns[source, slot], partner[source, slot] = grams.rows_from_unknowns, target
    # With free anchor depths the view's scale is redundant, so its column is dropped.
    kept = [
        *range(6),
        *((_OWN_FOCAL,) if num_rows > Row.SOURCE_LOG_FOCAL else ()),
        *(range(_OWN_CENTRE.start, _OWN_CENTRE.stop) if num_rows > SOURCE_CENTRE.start else ()),
    ]
    coupled = (
        placed @ from_unknowns[..., [*kept, *(_PER_VIEW + k for k in kept)]]
    )  # (V, slots, B, own and other)
    own, other = (
        coupled[..., : len(kept)].sum(1),
        coupled[..., len(kept) :].transpose(0, 2, 1, 3).reshape(num_views, num_eliminated, -1),
    )
    others = np.where(partner[..., None] >= 0, columns[partner][..., kept], size).reshape(num_views, -1)
    total = placed.sum(1)
    diagonal, depth_gradient = total[..., Row.LOG_DEPTH], total[..., Row.ERROR]
    # Padding, and depths that no error depends on, which stay.
    still = (eliminated.anchor < 0) | ~(diagonal > 0)
    return NormalEquations(
        matrix=matrix,
        gradient=gradient,
        eliminated_diagonal=np.where(still, 1, diagonal),
        eliminated_gradient=np.where(still, 0, depth_gradient),
        coupling=np.where(still[..., None], 0, np.concatenate([own, other], 2)),
        columns=np.concatenate([columns[:, kept], others], 1),
    )


def without_eliminated_depths(matrix: np.ndarray, gradient: np.ndarray) -> NormalEquations:
    """Return the equations of shared unknowns, with nothing to eliminate."""
    nothing = np.zeros((0, 0))
    return NormalEquations(matrix, gradient, nothing, nothing, np.zeros((0, 0, 0)), np.zeros((0, 0), int))
