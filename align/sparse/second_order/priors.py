"""Soft ties to the start in damped least squares on the reference's losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from align.rotations import rotation_vector
from align.sparse.options import Priors
from align.sparse.second_order.normal_equations import pose_basis
from align.sparse.second_order.state import SparseState, ViewIntrinsics, pivots, rotated


@dataclass(frozen=True, slots=True)
class ModelPriors:
    """What the unknowns are tied to."""

    priors: Priors
    start: SparseState
    num_observations: int
    """A prior counts as much as one of so many matches, whose mean the loss is."""


def prior_cost(terms: ModelPriors, state: SparseState) -> float:
    """Return the negative log likelihood of the priors over the number of matches."""
    by_pose, by_focal = _residuals(terms, state)
    return float((by_pose**2).sum() + (by_focal**2).sum()) / (2 * max(terms.num_observations, 1))


def prior_equations(
    terms: ModelPriors, state: SparseState, intrinsics: ViewIntrinsics, columns: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return matrix (N, N) and gradient (N,); `columns` (V, 10) are those of the views' unknowns."""
    (by_pose, by_focal), share = _residuals(terms, state), 1 / max(terms.num_observations, 1)
    # The Jacobian of both the turn and the centre, in the camera's axes, is the identity: in the gradient
    # exactly so.
    jacobian = pose_basis(pivots(intrinsics)) / _sigmas(terms.priors)[:, None]
    pose, first = columns[:, :7], size - 3 * len(by_focal)
    matrix, gradient = np.zeros((size, size)), np.zeros(size)
    matrix[pose[:, :, None], pose[:, None]] = share * jacobian.transpose(0, 2, 1) @ jacobian
    gradient[pose] = share * rotated(jacobian.transpose(0, 2, 1), by_pose)
    focal = np.arange(first, first + len(by_focal))
    sigma = terms.priors.log_focal_sigma or np.inf
    matrix[focal, focal], gradient[focal] = share / sigma**2, share * by_focal / sigma
    return matrix, gradient


def _residuals(terms: ModelPriors, state: SparseState) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals over their sigmas: turns and centres (V, 6) in the camera's axes, and log
    focals (C,).
    """
    into = state.R_world_from_cam.transpose(0, 2, 1)
    turn = rotation_vector(into @ terms.start.R_world_from_cam)
    shift = rotated(into, terms.start.centre - state.centre)
    by_focal = (state.log_focal - terms.start.log_focal) / (terms.priors.log_focal_sigma or np.inf)
    return np.concatenate([turn, shift], 1) / _sigmas(terms.priors), by_focal


def _sigmas(priors: Priors) -> np.ndarray:
    """Return the standard deviations (6,) of a pose; infinite where there is no prior."""
    return np.repeat([priors.rotation_sigma_rad or np.inf, priors.centre_sigma or np.inf], 3)
