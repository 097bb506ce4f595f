"""The reference's coarse and fine losses as models for damped least squares
(docs/sparse_alignment.md, "Damped least squares on the same losses").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from align.solver.least_squares import NormalEquations, Step
from align.sparse.options import DepthModel
from align.sparse.robust import Robust
from align.sparse.second_order.jacobians import Row, jacobian_rows, robust_sum, seen_of
from align.sparse.second_order.normal_equations import (
    EliminatedDepths,
    SparseGrams,
    irls_weights,
    row_products,
    rows_from_unknowns,
    shared_equations,
    with_eliminated_depths,
    without_eliminated_depths,
)
from align.sparse.second_order.observations import TiledObservations
from align.sparse.second_order.priors import ModelPriors, prior_cost, prior_equations
from align.sparse.second_order.state import (
    Constants,
    SparseState,
    ViewIntrinsics,
    shared_columns,
    stepped,
    view_intrinsics,
)

_INTRINSICS_DAMPING = 0.03
"""Damping of principal points and focals beyond the common one; a shared focal, which many views tie down,
has its share of it. If all cameras turn while all principal points move, or draw back while their focals
grow, the losses hardly change: these go where the matches push them, and not wherever noise leads along such
a valley."""
_LOG_DEPTH_STEP = 1.0
"""Most that a log depth moves in a step: a depth that few matches hold could otherwise leave for infinity."""
_AT_BOUND = 1e-12  # relative: rounding of the division by the smallest scale


@dataclass(frozen=True, slots=True)
class RobustTerm:
    """Observations with one robust function."""

    obs: TiledObservations
    pieces: tuple[TiledObservations, ...]
    """The same observations, cut for speed."""
    robust: Robust
    least: float
    """Distance below which weights grow no further."""
    smooth: float = 0.0
    """Distances d count as sqrt(d^2 + smooth^2); 0 is the reference's loss."""


@dataclass(frozen=True, slots=True)
class SparseModel:
    """A loss and its equations; shared unknowns are ordered as in `shared_columns`."""

    terms: tuple[RobustTerm, ...]
    constants: Constants
    depth: DepthModel
    eliminated: EliminatedDepths | None
    """None: depths keep their shapes, and scales move instead."""
    priors: ModelPriors | None
    free: np.ndarray  # (N,) bool, shared unknowns that may move at all
    num_rows: int
    bounded: bool
    """Scales stay at or above their least, and the smallest is there."""

    def cost(self, state: SparseState) -> float:
        """Return the loss; overflow makes it infinite or NaN, which no descent accepts."""
        intrinsics = view_intrinsics(state, self.constants)
        with np.errstate(over="ignore", invalid="ignore"):
            total = 0.0 if self.priors is None else prior_cost(self.priors, state)
            for term in self.terms:
                total += sum(
                    robust_sum(seen_of(piece, state, intrinsics, term.smooth), piece.weight, term.robust)
                    for piece in term.pieces
                )
            return total

    def equations(self, state: SparseState) -> NormalEquations:
        """Return the normal equations; what a bound holds in this state takes no step."""
        intrinsics, columns = view_intrinsics(state, self.constants), shared_columns(self.constants)
        size = len(self.free)
        matrix, gradient = np.zeros((size, size)), np.zeros(size)
        all_grams = [sparse_grams(self, term, state, intrinsics) for term in self.terms]
        for grams in all_grams:
            more = shared_equations(grams, columns, size)
            matrix, gradient = matrix + more[0], gradient + more[1]
        if self.priors is not None:
            more = prior_equations(self.priors, state, intrinsics, columns, size)
            matrix, gradient = matrix + more[0], gradient + more[1]
        matrix, gradient = _without_fixed(
            self, state, _with_intrinsics_damping(self.constants, matrix), gradient
        )
        return (
            without_eliminated_depths(matrix, gradient)
            if self.eliminated is None
            else with_eliminated_depths(matrix, gradient, self.eliminated, all_grams, columns)
        )

    def retract(self, state: SparseState, step: Step) -> SparseState:
        """Return the state after a step."""
        after = stepped(state, self.constants, step.shared, self.bounded)
        if self.eliminated is None:
            return replace(after, shape=_kept_shape(self, state, after))
        shape, present = state.shape.copy(), self.eliminated.anchor >= 0
        shape[self.eliminated.anchor[present]] *= np.exp(
            np.clip(step.eliminated[present], -_LOG_DEPTH_STEP, _LOG_DEPTH_STEP)
        )
        return replace(after, shape=shape)


def with_kernel(model: SparseModel, robust: Robust, smooth: float = 0.0) -> SparseModel:
    """Return the model with another robust function of the matches, and pixel distances smoothed so far; the
    fallback keeps its own.
    """
    terms = (
        replace(term, robust=robust, smooth=smooth if term.obs.kind == "reprojection" else 0.0)
        if term.obs.kind != "point-to-pointmap"
        else term
        for term in model.terms
    )
    return replace(model, terms=tuple(terms))


def sparse_grams(
    model: SparseModel, term: RobustTerm, state: SparseState, intrinsics: ViewIntrinsics
) -> SparseGrams:
    """Return the sums of one part over all its pieces."""
    num_rows = Row.TARGET_LOG_SCALE + 1 if term.obs.kind == "point-to-point" else model.num_rows
    stretching = _stretching(model, state, intrinsics) if model.eliminated is None else None
    found: list[Sequence[np.ndarray]] = []
    for piece in term.pieces:
        seen = seen_of(piece, state, intrinsics, term.smooth)
        weight = irls_weights(seen, piece.weight, term.robust, term.least)
        rows = jacobian_rows(piece, intrinsics, seen, num_rows)
        if stretching is not None and model.num_rows > Row.SOURCE_LOG_FOCAL:
            rows[:, Row.SOURCE_LOG_FOCAL] += stretching[piece.anchor][:, None] * rows[:, Row.LOG_DEPTH]
        by = row_products(piece, rows, weight, model.eliminated is not None)
        found.append((*by, rows_from_unknowns(piece, seen.R, seen.t, intrinsics, num_rows)))
    return SparseGrams(term.obs, *(np.concatenate(each) for each in zip(*found)))


def _stretching(model: SparseModel, state: SparseState, intrinsics: ViewIntrinsics) -> np.ndarray:
    """Return the derivatives (A,) of the log depths of anchors that keep their shape by the log focal; see
    `_kept_shape`.
    """
    if model.depth.combine == "mul":
        return np.ones_like(state.shape)
    # At depth 0 the row of the log depth, which this multiplies, is 0 too.
    return 1 / np.where(
        state.shape == 0, np.inf, intrinsics.focal_ratio[model.constants.anchor_view] * state.shape
    )


def _with_intrinsics_damping(constants: Constants, matrix: np.ndarray) -> np.ndarray:
    """Return the matrix with the drag on intrinsics."""
    num_views, num_cameras = len(constants.camera), constants.log_focal_range.shape[1]
    drag = np.zeros(len(matrix))
    drag[7 * num_views : 7 * num_views + num_cameras] = _INTRINSICS_DAMPING / np.bincount(
        constants.camera, minlength=num_cameras
    )
    drag[7 * num_views + num_cameras :] = _INTRINSICS_DAMPING
    return matrix + np.diag(drag * np.diagonal(matrix))


def _without_fixed(
    model: SparseModel, state: SparseState, matrix: np.ndarray, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the equations without what is at a bound and pulls beyond it, and without what nothing depends
    on.
    """
    n, num_cameras = len(state.depth_scale), len(state.log_focal)
    still = ~(np.diagonal(matrix) > 0)
    # An active set: what stands at its bound and is pushed beyond it takes no step this time.
    low, high = model.constants.log_focal_range
    by_focal = gradient[7 * n : 7 * n + num_cameras]
    still[7 * n : 7 * n + num_cameras] |= ((state.log_focal <= low) & (by_focal > 0)) | (
        (state.log_focal >= high) & (by_focal < 0)
    )
    if model.bounded:
        by_size, at = (
            gradient[6 * n : 7 * n],
            state.depth_scale <= model.constants.pivot_depth * (1 + _AT_BOUND),
        )
        bound = at & (by_size > 0)
        if not bound.any():
            # Then one of the smallest stays the unit all the same: the one that wants to grow least.
            bound[np.argmax(np.where(at, by_size, -np.inf))] = True
        still[6 * n : 7 * n] |= bound
    matrix = np.where(still | still[:, None], 0, matrix)
    matrix[still, still] = 1
    return matrix, np.where(still, 0, gradient)


def _kept_shape(model: SparseModel, before: SparseState, after: SparseState) -> np.ndarray:
    """Return the depths (A,) over their scales for the focals of `after`: a longer focal stretches them."""
    if np.array_equal(before.log_focal, after.log_focal):
        return before.shape
    stretch = [
        1 / view_intrinsics(state, model.constants).focal_ratio[model.constants.anchor_view]
        for state in (before, after)
    ]
    return (
        before.shape + stretch[1] - stretch[0]
        if model.depth.combine == "add"
        else before.shape * stretch[1] / stretch[0]
    )
