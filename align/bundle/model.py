"""The refinement as a model for damped least squares: robust reprojection errors, priors, and where each
unknown's column is.

Shared unknowns, in this order: six a view (rotation, translation of the camera), one log scale a view, one
log focal a camera, and where principal points are free their two coordinates a camera. Eliminated ones: the
blocks' offsets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from align.bundle.intrinsics import SharedIntrinsics
from align.bundle.observations import Observations
from align.bundle.reprojection import (
    POSE,
    BundleGrams,
    BundleState,
    JacobianRows,
    bundle_grams,
    concatenated,
    project_observations,
    relative_poses,
    robust_cost,
    robust_weights,
    squared_errors,
)
from align.rotations import rotation_of, rotation_vector
from align.solver.adjoint import minus_adjoint
from align.solver.least_squares import NormalEquations, Step, scatter_add, scatter_matrix


@dataclass(frozen=True, slots=True)
class BundlePriors:
    """What is believed without any match, and its standard deviations."""

    log_focal: np.ndarray  # (C,)
    log_focal_sigma: float
    principal_point_sigma: float
    """Pixels, of free principal points."""
    offset: np.ndarray  # (V, B)
    offset_sigma: np.ndarray  # (V,)
    R_cam_from_world: np.ndarray  # (V, 3, 3)
    t_cam_from_world: np.ndarray  # (V, 3)
    log_scale: np.ndarray  # (V,)
    log_scale_sigma: float
    rotation_sigma: np.ndarray  # (V,), radians about each axis
    centre_sigma: np.ndarray  # (V,), of the camera's centre along each axis


@dataclass(frozen=True, slots=True)
class BundleModel:
    """The cost of a state and its equations, at one width of the robust function."""

    obs: Observations
    pieces: tuple[Observations, ...]
    """The same observations, cut for speed."""
    intrinsics: SharedIntrinsics
    priors: BundlePriors
    kernel_width: float
    """Pixels at which a match's weight has fallen to a half."""

    def cost(self, state: BundleState) -> float:
        """Return the cost in squared pixels; overflow makes it infinite or NaN, which no descent accepts."""
        with np.errstate(over="ignore", invalid="ignore"):
            errors = [
                robust_cost(
                    squared_errors(project_observations(piece, self.intrinsics, state)),
                    piece.weight,
                    self.kernel_width,
                )
                for piece in self.pieces
            ]
            return sum(errors) + sum(
                float(residual.ravel() @ residual.ravel()) / 2 for residual in prior_residuals(self, state)
            )

    def equations(self, state: BundleState) -> NormalEquations:
        """Return the normal equations, matches with the weights that their errors leave them."""
        return assemble(self, state, weighted_grams(self, state))

    def retract(self, state: BundleState, step: Step) -> BundleState:
        """Return the state after a step: poses turn about their camera's own axes."""
        n, num_cameras = len(state.log_scale), len(state.log_focal)
        pose, camera = step.shared[: 6 * n].reshape(n, 6), step.shared[7 * n :]
        principal_point_offset = (
            camera[num_cameras:].reshape(-1, 2) if self.intrinsics.free_principal_point else 0
        )
        turn = rotation_of(pose[:, :3])
        return BundleState(
            R_cam_from_world=turn @ state.R_cam_from_world,
            t_cam_from_world=(turn @ state.t_cam_from_world[..., None])[..., 0] + pose[:, 3:],
            log_scale=state.log_scale + step.shared[6 * n : 7 * n],
            log_focal=state.log_focal + camera[:num_cameras],
            principal_point_offset=state.principal_point_offset + principal_point_offset,
            offset=state.offset + step.eliminated,
        )


def weighted_grams(model: BundleModel, state: BundleState) -> BundleGrams:
    """Return the sums of the equations, each match with the weight that its error leaves it."""
    parts = []
    for piece in model.pieces:
        projection = project_observations(piece, model.intrinsics, state)
        parts.append(
            bundle_grams(
                piece,
                model.intrinsics,
                state,
                projection,
                robust_weights(projection, piece.weight, model.kernel_width),
            )
        )
    return concatenated(parts, JacobianRows(model.intrinsics.num_params))


def prior_residuals(model: BundleModel, state: BundleState) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals over their sigmas: of the shared unknowns (N,) and of the offsets (V, B)."""
    priors = model.priors
    turn = state.R_cam_from_world @ priors.R_cam_from_world.transpose(0, 2, 1)
    shift = state.t_cam_from_world - (turn @ priors.t_cam_from_world[..., None])[..., 0]
    turn = rotation_vector(turn)
    centre = state.principal_point_offset.ravel() if model.intrinsics.free_principal_point else np.zeros(0)
    pose = np.concatenate([turn, shift], 1).ravel()
    residual = np.concatenate(
        [pose, state.log_scale - priors.log_scale, state.log_focal - priors.log_focal, centre]
    )
    return residual / prior_sigmas(model), (state.offset - priors.offset) / priors.offset_sigma[:, None]


def prior_sigmas(model: BundleModel) -> np.ndarray:
    """Return the standard deviations (N,) of the shared unknowns."""
    priors, num_cameras = model.priors, len(model.intrinsics.log_focal)
    num_views = len(priors.log_scale)
    centre = np.full(
        2 * num_cameras if model.intrinsics.free_principal_point else 0, priors.principal_point_sigma
    )
    pose = np.repeat(np.stack([priors.rotation_sigma, priors.centre_sigma], 1), 3, axis=1)
    return np.concatenate(
        [
            pose.ravel(),
            np.full(num_views, priors.log_scale_sigma),
            np.full(num_cameras, priors.log_focal_sigma),
            centre,
        ]
    )


def assemble(model: BundleModel, state: BundleState, grams: BundleGrams) -> NormalEquations:
    """Return the equations of all unknowns from the sums over directions and runs, with the priors'."""
    columns, local, local_gradient = direction_equations(model, state, grams)
    size = 7 * len(state.log_scale) + model.intrinsics.num_params * len(state.log_focal)
    shared, offset = prior_residuals(model, state)
    sigma, offset_sigma = prior_sigmas(model), model.priors.offset_sigma[:, None]
    # The Jacobian is the identity for turns and shifts too: exactly so in the gradient, and near the prior in
    # the matrix.
    rows, others = np.broadcast_arrays(columns[:, :, None], columns[:, None])
    diagonal = np.arange(size)
    matrix = scatter_matrix(
        np.append(rows.ravel(), diagonal),
        np.append(others.ravel(), diagonal),
        np.append(local.ravel(), sigma**-2),
        size,
    )
    gradient = scatter_add(columns, local_gradient, size) + shared / sigma
    coupling, eliminated_diagonal, eliminated_gradient = block_equations(model, state, grams.by_run)
    eliminated_diagonal, eliminated_gradient = (
        eliminated_diagonal + offset_sigma**-2,
        eliminated_gradient + offset / offset_sigma,
    )
    return NormalEquations(
        matrix,
        gradient,
        eliminated_diagonal,
        eliminated_gradient,
        coupling,
        block_columns(model.obs, model.intrinsics, size),
    )


def direction_equations(
    model: BundleModel, state: BundleState, grams: BundleGrams
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the columns (D, k), matrices (D, k, k) and gradients (D, k) of each direction.

    In this order: pose of the source, pose of the target, scale of the source, intrinsics of both.
    """
    obs, n, rows = model.obs, len(state.log_scale), JacobianRows(model.intrinsics.num_params)
    source, target = obs.direction.T
    of_camera = model.intrinsics.columns(7 * n)
    pose = 6 * np.stack([source, target], 1)[..., None] + np.arange(6)
    columns = np.concatenate(
        [pose.reshape(-1, 12), 6 * n + source[:, None], of_camera[source], of_camera[target]], 1
    )
    by_depth = np.add.reduceat(grams.by_run, obs.direction_runs[:-1], axis=0)
    # Rows in the order of the Gram blocks, the log depth in the place of the error: a view's scale moves the
    # log depths of all its points alike, so its row is their sum over the direction's blocks.
    inner = grams.by_direction.copy()
    gradient = np.concatenate([inner[:, : rows.error, rows.error], by_depth[:, rows.error, None]], 1)
    inner[:, rows.error, : rows.error] = inner[:, : rows.error, rows.error] = by_depth[:, : rows.error]
    inner[:, rows.error, rows.error] = by_depth[:, rows.depth]
    rows_from_unknowns = np.zeros((len(source), rows.depth, columns.shape[1]))
    rows_from_unknowns[:, POSE, :6] = minus_adjoint(*relative_poses(state, obs.direction))
    rows_from_unknowns[:, POSE, 6:12] = np.eye(6)
    rows_from_unknowns[:, rows.error, 12] = 1
    rows_from_unknowns[:, 6 : rows.error, 13:] = np.eye(2 * rows.num_params)
    transposed = rows_from_unknowns.transpose(0, 2, 1)
    return columns, transposed @ inner @ rows_from_unknowns, (transposed @ gradient[..., None])[..., 0]


def block_equations(
    model: BundleModel, state: BundleState, by_run: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return couplings (V, B, C), diagonal and gradient (V, B) of the blocks' offsets, from the matches
    alone.
    """
    obs, rows = model.obs, JacobianRows(model.intrinsics.num_params)
    num_views, num_eliminated, num_slots = *obs.block.shape, obs.num_slots
    placed = np.zeros((num_views, num_eliminated, num_slots, rows.depth + 1))
    placed[obs.run_view, obs.run_block, obs.direction_slot[obs.run_direction]] = by_run
    own_from_relative = np.zeros((num_views, num_slots, 6, 6))
    own_from_relative[obs.direction[:, 0], obs.direction_slot] = minus_adjoint(
        *relative_poses(state, obs.direction)
    )
    # A block's own view is the source towards all its partners: its couplings with that view add up, those
    # with the partners stand side by side.
    total = placed.sum(2)
    poses = placed[..., POSE].reshape(num_views, num_eliminated, 6 * num_slots) @ own_from_relative.reshape(
        num_views, 6 * num_slots, 6
    )
    partners = np.concatenate([placed[..., POSE], placed[..., rows.target]], -1).reshape(
        num_views, num_eliminated, (6 + rows.num_params) * num_slots
    )
    coupling = np.concatenate([poses, total[..., [rows.depth]], total[..., rows.source], partners], 2)
    return coupling, total[..., rows.depth], total[..., rows.error]


def block_columns(obs: Observations, intrinsics: SharedIntrinsics, size: int) -> np.ndarray:
    """Return the shared columns (V, C) that the blocks of each view couple with: its own, then its partners';
    `size` where it has fewer of them.
    """
    n = obs.num_views
    view = np.arange(n)[:, None]
    source, target = obs.direction.T
    of_camera = intrinsics.columns(7 * n)
    partners = np.full((n, obs.num_slots, 6 + intrinsics.num_params), size)
    partners[source, obs.direction_slot, :6] = 6 * target[:, None] + np.arange(6)
    partners[source, obs.direction_slot, 6:] = of_camera[target]
    return np.concatenate([6 * view + np.arange(6), 6 * n + view, of_camera, partners.reshape(n, -1)], 1)
