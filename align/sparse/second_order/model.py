"""The reference's coarse and fine losses as models for damped least squares (the sparse aligner's
specification, chapters 9 and 10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from align.solver.least_squares import Equations, Step
from align.sparse.options import DepthModel
from align.sparse.robust import Robust
from align.sparse.second_order.jacobians import DEPTH, SOURCE_FOCAL, TARGET_SIZE, robust_sum, rows_of, seen_of
from align.sparse.second_order.normal_equations import (
    LinkSums,
    Lones,
    pull_of,
    shared_equations,
    spread_of,
    summed,
    with_lones,
    without_lones,
)
from align.sparse.second_order.observations import Links
from align.sparse.second_order.priors import ModelPriors, prior_cost, prior_equations
from align.sparse.second_order.state import (
    Optics,
    ReferenceState,
    Setting,
    optics_of,
    shared_columns,
    stepped,
)

_DRAG = 0.03
"""Damping of principal points and focals beyond the common one; a shared focal, which many views tie down,
has its share of it. If all
cameras turn while all principal points move, or draw back while their focals grow, the losses hardly change:
these go where the matches push them, and not wherever noise leads along such a valley."""
_LOG_DEPTH_STEP = 1.0
_AT_BOUND = 1e-12  # relative


@dataclass(frozen=True, slots=True)
class Part:
    """Links with one robust function."""

    links: Links
    pieces: tuple[Links, ...]
    """The same links, cut for speed."""
    robust: Robust
    least: float
    """Distance below which weights grow no further."""
    smooth: float = 0.0
    """Distances d count as sqrt(d^2 + smooth^2); 0 is the reference's loss."""


@dataclass(frozen=True, slots=True)
class ReferenceModel:
    """A loss and its equations; shared unknowns are ordered as in `shared_columns`."""

    parts: tuple[Part, ...]
    setting: Setting
    depth: DepthModel
    lones: Lones | None
    """None: depths keep their shapes, and sizes move instead."""
    priors: ModelPriors | None
    free: np.ndarray  # (N,) bool, shared unknowns that may move at all
    num_rows: int
    bounded: bool
    """Sizes stay at or above their least, and the smallest is there."""

    def cost(self, state: ReferenceState) -> float:
        """Return the loss; overflow makes it infinite or NaN, which no descent accepts."""
        optics = optics_of(state, self.setting)
        with np.errstate(over="ignore", invalid="ignore"):
            total = 0.0 if self.priors is None else prior_cost(self.priors, state)
            for part in self.parts:
                total += sum(
                    robust_sum(seen_of(piece, state, optics, part.smooth), piece.weight, part.robust)
                    for piece in part.pieces
                )
            return total

    def equations(self, state: ReferenceState) -> Equations:
        """Return the normal equations; what a bound holds in this state takes no step."""
        optics, columns = optics_of(state, self.setting), shared_columns(self.setting)
        size = len(self.free)
        matrix, gradient = np.zeros((size, size)), np.zeros(size)
        all_sums = [link_sums(self, part, state, optics) for part in self.parts]
        for sums in all_sums:
            more = shared_equations(sums, columns, size)
            matrix, gradient = matrix + more[0], gradient + more[1]
        if self.priors is not None:
            more = prior_equations(self.priors, state, optics, columns, size)
            matrix, gradient = matrix + more[0], gradient + more[1]
        matrix, gradient = _held(self, state, _dragged(self.setting, matrix), gradient)
        return (
            without_lones(matrix, gradient)
            if self.lones is None
            else with_lones(matrix, gradient, self.lones, all_sums, columns)
        )

    def moved(self, state: ReferenceState, step: Step) -> ReferenceState:
        """Return the state after a step."""
        after = stepped(state, self.setting, step.shared, self.bounded)
        if self.lones is None:
            return replace(after, shape=_kept_shape(self, state, after))
        shape, present = state.shape.copy(), self.lones.anchor >= 0
        shape[self.lones.anchor[present]] *= np.exp(
            np.clip(step.lone[present], -_LOG_DEPTH_STEP, _LOG_DEPTH_STEP)
        )
        return replace(after, shape=shape)


def under(model: ReferenceModel, robust: Robust, smooth: float = 0.0) -> ReferenceModel:
    """Return the model with another robust function of the matches, and pixel distances smoothed so far; the
    fallback keeps its own.
    """
    parts = (
        replace(part, robust=robust, smooth=smooth if part.links.kind == "pixel" else 0.0)
        if part.links.kind != "prediction"
        else part
        for part in model.parts
    )
    return replace(model, parts=tuple(parts))


def link_sums(model: ReferenceModel, part: Part, state: ReferenceState, optics: Optics) -> LinkSums:
    """Return the sums of one part over all its pieces."""
    num_rows = TARGET_SIZE + 1 if part.links.kind == "own point" else model.num_rows
    stretching = _stretching(model, state, optics) if model.lones is None else None
    found: list[Sequence[np.ndarray]] = []
    for piece in part.pieces:
        seen = seen_of(piece, state, optics, part.smooth)
        pull = pull_of(seen, piece.weight, part.robust, part.least)
        rows = rows_of(piece, optics, seen, num_rows)
        if stretching is not None and model.num_rows > SOURCE_FOCAL:
            rows[:, SOURCE_FOCAL] += stretching[piece.anchor][:, None] * rows[:, DEPTH]
        by = summed(piece, rows, pull, model.lones is not None)
        found.append((*by, spread_of(piece, seen.R, seen.t, optics, num_rows)))
    return LinkSums(part.links, *(np.concatenate(each) for each in zip(*found)))


def _stretching(model: ReferenceModel, state: ReferenceState, optics: Optics) -> np.ndarray:
    """Return the derivatives (A,) of the log depths of anchors that keep their shape by the log focal; see
    `_kept_shape`.
    """
    if model.depth.combine == "mul":
        return np.ones_like(state.shape)
    # At depth 0 the row of the log depth, which this multiplies, is 0 too.
    return 1 / np.where(state.shape == 0, np.inf, optics.flatten[model.setting.anchor_view] * state.shape)


def _dragged(setting: Setting, matrix: np.ndarray) -> np.ndarray:
    """Return the matrix with the drag on intrinsics."""
    num_views, num_cameras = len(setting.camera), setting.log_focal_range.shape[1]
    drag = np.zeros(len(matrix))
    drag[7 * num_views : 7 * num_views + num_cameras] = _DRAG / np.bincount(
        setting.camera, minlength=num_cameras
    )
    drag[7 * num_views + num_cameras :] = _DRAG
    return matrix + np.diag(drag * np.diagonal(matrix))


def _held(
    model: ReferenceModel, state: ReferenceState, matrix: np.ndarray, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the equations without what is at a bound and pulls beyond it, and without what nothing depends
    on.
    """
    n, num_cameras = len(state.depth_scale), len(state.log_focal)
    still = ~(np.diagonal(matrix) > 0)
    low, high = model.setting.log_focal_range
    by_focal = gradient[7 * n : 7 * n + num_cameras]
    still[7 * n : 7 * n + num_cameras] |= ((state.log_focal <= low) & (by_focal > 0)) | (
        (state.log_focal >= high) & (by_focal < 0)
    )
    if model.bounded:
        by_size, at = (
            gradient[6 * n : 7 * n],
            state.depth_scale <= model.setting.pivot_depth * (1 + _AT_BOUND),
        )
        bound = at & (by_size > 0)
        if not bound.any():
            # Then one of the smallest stays the unit all the same: the one that wants to grow least.
            bound[np.argmax(np.where(at, by_size, -np.inf))] = True
        still[6 * n : 7 * n] |= bound
    matrix = np.where(still | still[:, None], 0, matrix)
    matrix[still, still] = 1
    return matrix, np.where(still, 0, gradient)


def _kept_shape(model: ReferenceModel, before: ReferenceState, after: ReferenceState) -> np.ndarray:
    """Return the depths (A,) over their scales for the focals of `after`: a longer focal stretches them
    (chapter 7.1).
    """
    if np.array_equal(before.log_focal, after.log_focal):
        return before.shape
    stretch = [
        1 / optics_of(state, model.setting).flatten[model.setting.anchor_view] for state in (before, after)
    ]
    return (
        before.shape + stretch[1] - stretch[0]
        if model.depth.combine == "add"
        else before.shape * stretch[1] / stretch[0]
    )
