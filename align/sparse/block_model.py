"""The refinement as a model for damped least squares: robust reprojection errors, priors, and where each unknown's column is.

Shared unknowns, in this order: six a view (turn, shift of the camera), one log size a view, one log focal a camera. Lone ones: the blocks' offsets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    project,
    relative_poses,
    robust_cost,
    robust_weights,
    squared_errors,
)
from align.sparse.observations import Lens, Observations

_SELF = 9  # place of the log depth's product with itself in a run's sums
_OWN_COLUMNS = 8  # pose, size and focal of the view itself
_PARTNER_COLUMNS = 7  # pose and focal of one partner


@dataclass(frozen=True, slots=True)
class Priors:
    """Standard deviations of what is believed without any match; infinite: nothing is."""

    log_focal: np.ndarray  # (C,)
    log_focal_sigma: float
    offset_sigma: float
    R_cam_from_world: np.ndarray  # (V, 3, 3)
    t_cam_from_world: np.ndarray  # (V, 3)
    rotation_sigma: float
    """Radians about each axis."""
    place_sigma: float
    """Of the camera's centre along each axis."""


@dataclass(frozen=True, slots=True)
class BlockModel:
    """The cost of a state and its equations, at one width of the robust function."""

    obs: Observations
    lens: Lens
    priors: Priors
    cut: float
    """Pixels at which a match's weight has fallen to a half."""

    def cost(self, state: BlockState) -> float:
        """Return the cost in squared pixels; overflow makes it infinite or NaN, which no descent accepts."""
        with np.errstate(over="ignore", invalid="ignore"):
            errors = robust_cost(squared_errors(project(self.obs, self.lens, state)), self.obs.weight, self.cut)
            return errors + sum(float(residual.ravel() @ residual.ravel()) / 2 for residual in prior_residuals(self.priors, state))

    def equations(self, state: BlockState) -> Equations:
        """Return the normal equations, matches with the weights that their errors leave them."""
        projection = project(self.obs, self.lens, state)
        sums = block_sums(self.obs, self.lens, state, projection, robust_weights(projection, self.obs.weight, self.cut))
        return assemble(self, state, sums)

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


def prior_residuals(priors: Priors, state: BlockState) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return residuals over their sigmas: turns (V, 3), shifts (V, 3), log focals (C,), offsets (V, B)."""
    turn = state.R_cam_from_world @ priors.R_cam_from_world.transpose(0, 2, 1)
    shift = state.t_cam_from_world - (turn @ priors.t_cam_from_world[..., None])[..., 0]
    return (
        roma.rotmat_to_rotvec(torch.from_numpy(turn)).numpy() / priors.rotation_sigma,
        shift / priors.place_sigma,
        (state.log_focal - priors.log_focal) / priors.log_focal_sigma,
        state.offset / priors.offset_sigma,
    )


def assemble(model: BlockModel, state: BlockState, sums: BlockSums) -> Equations:
    """Return the equations of all unknowns from the sums over directions and runs, with the priors'."""
    columns, local, local_gradient = direction_equations(model, state, sums)
    size = 7 * len(state.log_size) + len(state.log_focal)
    cells = columns[:, :, None] * size + columns[:, None]
    matrix = np.bincount(cells.ravel(), local.ravel(), size**2).reshape(size, size)
    gradient = spread(columns, local_gradient, size)
    turn, shift, focal, offset = prior_residuals(model.priors, state)
    pose_sigma = np.array([model.priors.rotation_sigma] * 3 + [model.priors.place_sigma] * 3)
    n = len(turn)
    gradient[: 6 * n] += (np.concatenate([turn, shift], 1) / pose_sigma).ravel()
    gradient[7 * n :] += focal / model.priors.log_focal_sigma
    prior = np.concatenate([np.tile(pose_sigma**-2, n), np.zeros(n), np.full(len(focal), model.priors.log_focal_sigma**-2)])
    matrix[np.diag_indices(size)] += prior
    coupling, diagonal, lone_gradient = block_equations(model.obs, state, sums.by_run)
    sigma = model.priors.offset_sigma
    return Equations(matrix, gradient, diagonal + sigma**-2, lone_gradient + offset / sigma, coupling, block_columns(model.obs, model.lens, size))


def direction_equations(model: BlockModel, state: BlockState, sums: BlockSums) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the columns (D, 15), matrices (D, 15, 15) and gradients (D, 15) of each direction.

    In this order: pose of the source, pose of the target, size of the source, focals of both.
    """
    obs, n = model.obs, len(state.log_size)
    source, target = obs.direction.T
    camera = 7 * n + model.lens.camera
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


def block_columns(obs: Observations, lens: Lens, size: int) -> np.ndarray:
    """Return the shared columns (V, 8 + 7 slots) that the blocks of each view couple with; `size` where a view has fewer partners."""
    n = obs.num_views
    view = np.arange(n)[:, None]
    source, target = obs.direction.T
    partners = np.full((n, obs.num_slots, _PARTNER_COLUMNS), size)
    partners[source, obs.direction_slot, :6] = 6 * target[:, None] + np.arange(6)
    partners[source, obs.direction_slot, 6] = 7 * n + lens.camera[target]
    return np.concatenate([6 * view + np.arange(6), 6 * n + view, 7 * n + lens.camera[:, None], partners.reshape(n, -1)], 1)


def narrowed(model: BlockModel, cut: float) -> BlockModel:
    """Return the model at another width of the robust function."""
    return replace(model, cut=cut)
