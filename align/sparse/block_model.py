"""The refinement as a model for damped least squares: robust reprojection errors, priors, and where each unknown's column is.

Shared unknowns, in this order: six a view (turn, shift of the camera), one log size a view, one log focal a camera. Lone ones: the blocks' offsets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import roma
import torch

from align.least_squares import Equations, Step, spread
from align.sparse.block_residuals import (
    ERROR,
    POSE,
    SOURCE_FOCAL,
    TARGET_FOCAL,
    BlockState,
    BlockSums,
    block_sums,
    joined,
    project,
    relative_poses,
    robust_cost,
    robust_weights,
    squared_errors,
)
from align.sparse.lenses import Lenses
from align.sparse.observations import Observations

_SELF = 9  # place of the log depth's product with itself in a run's sums
_OWN_COLUMNS = 8  # pose, size and focal of the view itself
_PARTNER_COLUMNS = 7  # pose and focal of one partner


@dataclass(frozen=True, slots=True)
class Priors:
    """What is believed without any match, and its standard deviations."""

    log_focal: np.ndarray  # (C,)
    log_focal_sigma: float
    offset_sigma: float
    R_cam_from_world: np.ndarray  # (V, 3, 3)
    t_cam_from_world: np.ndarray  # (V, 3)
    log_size: np.ndarray  # (V,)
    log_size_sigma: float
    rotation_sigma: float
    """Radians about each axis."""
    place_sigma: float
    """Of the camera's centre along each axis."""


@dataclass(frozen=True, slots=True)
class BlockModel:
    """The cost of a state and its equations, at one width of the robust function."""

    obs: Observations
    pieces: tuple[Observations, ...]
    """The same observations, cut for speed."""
    lenses: Lenses
    priors: Priors
    cut: float
    """Pixels at which a match's weight has fallen to a half."""

    def cost(self, state: BlockState) -> float:
        """Return the cost in squared pixels; overflow makes it infinite or NaN, which no descent accepts."""
        with np.errstate(over="ignore", invalid="ignore"):
            errors = [robust_cost(squared_errors(project(piece, self.lenses, state)), piece.weight, self.cut) for piece in self.pieces]
            return sum(errors) + sum(float(residual.ravel() @ residual.ravel()) / 2 for residual in prior_residuals(self.priors, state))

    def equations(self, state: BlockState) -> Equations:
        """Return the normal equations, matches with the weights that their errors leave them."""
        return assemble(self, state, weighted_sums(self, state))

    def moved(self, state: BlockState, step: Step) -> BlockState:
        """Return the state after a step: poses turn about their camera's own axes."""
        n = len(state.log_size)
        pose = step.shared[: 6 * n].reshape(n, 6)
        turn = roma.rotvec_to_rotmat(torch.from_numpy(pose[:, :3])).numpy()
        return BlockState(
            R_cam_from_world=turn @ state.R_cam_from_world,
            t_cam_from_world=(turn @ state.t_cam_from_world[..., None])[..., 0] + pose[:, 3:],
            log_size=state.log_size + step.shared[6 * n : 7 * n],
            log_focal=state.log_focal + step.shared[7 * n :],
            offset=state.offset + step.lone,
        )


def weighted_sums(model: BlockModel, state: BlockState) -> BlockSums:
    """Return the sums of the equations, each match with the weight that its error leaves it."""
    parts = []
    for piece in model.pieces:
        projection = project(piece, model.lenses, state)
        parts.append(block_sums(piece, model.lenses, state, projection, robust_weights(projection, piece.weight, model.cut)))
    return joined(parts)


def prior_residuals(priors: Priors, state: BlockState) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals over their sigmas: of the shared unknowns (N,) and of the offsets (V, B)."""
    turn = state.R_cam_from_world @ priors.R_cam_from_world.transpose(0, 2, 1)
    shift = state.t_cam_from_world - (turn @ priors.t_cam_from_world[..., None])[..., 0]
    turn = roma.rotmat_to_rotvec(torch.from_numpy(turn)).numpy()
    residual = np.concatenate([np.concatenate([turn, shift], 1).ravel(), state.log_size - priors.log_size, state.log_focal - priors.log_focal])
    return residual / prior_sigmas(priors), state.offset / priors.offset_sigma


def prior_sigmas(priors: Priors) -> np.ndarray:
    """Return the standard deviations (N,) of the shared unknowns."""
    num_views = len(priors.log_size)
    pose = np.tile([priors.rotation_sigma] * 3 + [priors.place_sigma] * 3, num_views)
    return np.concatenate([pose, np.full(num_views, priors.log_size_sigma), np.full(len(priors.log_focal), priors.log_focal_sigma)])


def assemble(model: BlockModel, state: BlockState, sums: BlockSums) -> Equations:
    """Return the equations of all unknowns from the sums over directions and runs, with the priors'."""
    columns, local, local_gradient = direction_equations(model, state, sums)
    size = 7 * len(state.log_size) + len(state.log_focal)
    cells = columns[:, :, None] * size + columns[:, None]
    shared, offset = prior_residuals(model.priors, state)
    sigma, offset_sigma = prior_sigmas(model.priors), model.priors.offset_sigma
    # The Jacobian is the identity for turns and shifts too: exactly so in the gradient, and near the prior in the matrix.
    matrix = np.bincount(cells.ravel(), local.ravel(), size**2).reshape(size, size) + np.diag(sigma**-2)
    gradient = spread(columns, local_gradient, size) + shared / sigma
    coupling, diagonal, lone_gradient = block_equations(model.obs, state, sums.by_run)
    diagonal, lone_gradient = diagonal + offset_sigma**-2, lone_gradient + offset / offset_sigma
    return Equations(matrix, gradient, diagonal, lone_gradient, coupling, block_columns(model.obs, model.lenses, size))


def direction_equations(model: BlockModel, state: BlockState, sums: BlockSums) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the columns (D, 15), matrices (D, 15, 15) and gradients (D, 15) of each direction.

    In this order: pose of the source, pose of the target, size of the source, focals of both.
    """
    obs, n = model.obs, len(state.log_size)
    source, target = obs.direction.T
    camera = 7 * n + model.lenses.camera
    pose = 6 * np.stack([source, target], 1)[..., None] + np.arange(6)
    columns = np.concatenate([pose.reshape(-1, 12), 6 * n + source[:, None], camera[source][:, None], camera[target][:, None]], 1)
    by_depth = np.add.reduceat(sums.by_run, obs.direction_runs[:-1], axis=0)
    # Rows in the sums' order, the log depth in the place of the error.
    inner = sums.by_direction.copy()
    gradient = np.concatenate([inner[:, :ERROR, ERROR], by_depth[:, ERROR, None]], 1)
    inner[:, ERROR, :ERROR] = inner[:, :ERROR, ERROR] = by_depth[:, :ERROR]
    inner[:, ERROR, ERROR] = by_depth[:, _SELF]
    spread_rows = np.zeros((len(source), 9, 15))
    spread_rows[:, POSE, :6] = source_from_relative(state, obs.direction)
    spread_rows[:, POSE, 6:12] = np.eye(6)
    spread_rows[:, ERROR, 12] = spread_rows[:, SOURCE_FOCAL, 13] = spread_rows[:, TARGET_FOCAL, 14] = 1
    transposed = spread_rows.transpose(0, 2, 1)
    return columns, transposed @ inner @ spread_rows, (transposed @ gradient[..., None])[..., 0]


def source_from_relative(state: BlockState, direction: np.ndarray) -> np.ndarray:
    """Return how a perturbation of the source's pose perturbs the relative one (D, 6, 6): minus its adjoint."""
    R, t = relative_poses(state, direction)
    cross = np.zeros_like(R)
    cross[:, [2, 0, 1], [1, 2, 0]], cross[:, [1, 2, 0], [2, 0, 1]] = t, -t
    minus_adjoint = np.zeros((len(R), 6, 6))
    minus_adjoint[:, :3, :3] = minus_adjoint[:, 3:, 3:] = -R
    minus_adjoint[:, 3:, :3] = -cross @ R
    return minus_adjoint


def block_equations(obs: Observations, state: BlockState, by_run: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return couplings (V, B, 8 + 7 slots), diagonal and gradient (V, B) of the blocks' offsets, from the matches alone."""
    num_views, num_lone, num_slots = *obs.block.shape, obs.num_slots
    placed = np.zeros((num_views, num_lone, num_slots, _SELF + 1))
    placed[obs.run_view, obs.run_lone, obs.direction_slot[obs.run_direction]] = by_run
    own_from_relative = np.zeros((num_views, num_slots, 6, 6))
    own_from_relative[obs.direction[:, 0], obs.direction_slot] = source_from_relative(state, obs.direction)
    total = placed.sum(2)
    poses = placed[..., POSE].reshape(num_views, num_lone, 6 * num_slots) @ own_from_relative.reshape(num_views, 6 * num_slots, 6)
    partners = placed[..., [*range(6), TARGET_FOCAL]].reshape(num_views, num_lone, _PARTNER_COLUMNS * num_slots)
    coupling = np.concatenate([poses, total[..., [_SELF]], total[..., [SOURCE_FOCAL]], partners], 2)
    return coupling, total[..., _SELF], total[..., ERROR]


def block_columns(obs: Observations, lenses: Lenses, size: int) -> np.ndarray:
    """Return the shared columns (V, 8 + 7 slots) that the blocks of each view couple with; `size` where a view has fewer partners."""
    n = obs.num_views
    view = np.arange(n)[:, None]
    source, target = obs.direction.T
    partners = np.full((n, obs.num_slots, _PARTNER_COLUMNS), size)
    partners[source, obs.direction_slot, :6] = 6 * target[:, None] + np.arange(6)
    partners[source, obs.direction_slot, 6] = 7 * n + lenses.camera[target]
    return np.concatenate([6 * view + np.arange(6), 6 * n + view, 7 * n + lenses.camera[:, None], partners.reshape(n, -1)], 1)
