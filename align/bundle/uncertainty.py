"""Standard deviations of a solution's cameras (docs/bundle_alignment.md, "Uncertainties")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from align.bundle.model import BundleModel, assemble, direction_equations, prior_sigmas, weighted_grams
from align.bundle.reprojection import BundleGrams, BundleState, JacobianRows
from align.solver.least_squares import NormalEquations, factorised, schur_complement

_CALIBRATION = 2.0
"""Errors of simulated scenes are larger by this factor, in all of them alike: what matches of different pairs
share is left out of account."""
_LEAST_FOCAL = 0.01
"""The focal's error is a common bias of matches and pointmaps, which no spread shows."""
_SIDES_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Standard deviations; 0 for what was fixed, such as the root's pose, to which all others refer; infinite
    where nothing is known.
    """

    rotation_rad: np.ndarray  # (V,), over all axes
    centre: np.ndarray  # (V,), of the centre over all axes, in the state's unit
    log_focal: np.ndarray  # (C,)


def uncertainty(model: BundleModel, state: BundleState, free: np.ndarray) -> Uncertainty:
    """Return standard deviations that take the matches of one pair as one measurement: errors within a pair
    go together.

    The cluster-robust (sandwich) covariance S^-1 (sum of g_p g_p^T) S^-1, with the Schur complement S and
    each pair's gradient g_p of it. The plain S^-1 would count thousands of matches as independent.
    """
    grams = weighted_grams(model, state)
    equations = assemble(model, state, grams)
    matrix, _ = schur_complement(equations, equations.eliminated_diagonal)
    kept = np.flatnonzero(free)
    gradients = pair_gradients(model, state, grams, equations)
    # n / (n - 1): at the minimum the pairs' gradients nearly add up to 0, so one follows from the others.
    inflation = _CALIBRATION * np.sqrt(len(gradients) / max(len(gradients) - 1, 1))
    sigma = np.zeros(len(free))
    solver = factorised(matrix, kept)
    if solver is None:
        sigma[kept] = np.inf
    else:
        sigma[kept] = np.sqrt(
            sum(
                (solver(side[:, kept].T) ** 2).sum(1)
                for side in _right_sides(inflation * gradients, 1 / prior_sigmas(model))
            )
        )
    return _sorted_out(sigma, state, free)


def _right_sides(gradients: np.ndarray, prior: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the right sides (r, N) a few hundred at a time: the pairs' gradients, and what the priors (N,)
    pull.

    A view that no match holds is as uncertain as its prior. Solutions for all of them together would take as
    much memory as a dense matrix.
    """
    for first in range(0, len(gradients), _SIDES_AT_ONCE):
        yield gradients[first : first + _SIDES_AT_ONCE]
    for first in range(0, len(prior), _SIDES_AT_ONCE):
        some = prior[first : first + _SIDES_AT_ONCE]
        yield some[:, None] * np.eye(len(some), len(prior), first)


def _sorted_out(sigma: np.ndarray, state: BundleState, free: np.ndarray) -> Uncertainty:
    """Return the standard deviations (N,) of the shared unknowns, sorted out."""
    n = len(state.log_scale)
    pose = sigma[: 6 * n].reshape(n, 2, 3)
    rotation, centre = np.sqrt((pose**2).sum(2)).T
    focals = slice(7 * n, 7 * n + len(state.log_focal))
    return Uncertainty(rotation, centre, np.where(free[focals], np.maximum(sigma[focals], _LEAST_FOCAL), 0))


def pair_gradients(
    model: BundleModel, state: BundleState, grams: BundleGrams, equations: NormalEquations
) -> np.ndarray:
    """Return each pair's part (P, N) of the reduced gradient: its own, less what the gradients of its blocks
    carry over.
    """
    obs, size = model.obs, len(equations.gradient)
    columns, _, own = direction_equations(model, state, grams)
    by_block = np.zeros((*obs.block.shape, obs.num_slots))
    by_block[obs.run_view, obs.run_block, obs.direction_slot[obs.run_direction]] = grams.by_run[
        :, JacobianRows(model.intrinsics.num_params).error
    ]
    by_block /= equations.eliminated_diagonal[..., None]
    carried = (by_block.transpose(0, 2, 1) @ equations.coupling)[
        obs.direction[:, 0], obs.direction_slot
    ]  # (D, C)
    # Both directions of a pair are one measurement.
    low, high = np.sort(obs.direction, 1).T
    number, pair = np.unique(low * obs.num_views + high, return_inverse=True)
    columns = np.concatenate([columns, equations.columns[obs.direction[:, 0]]], 1)
    cells = pair[:, None] * (size + 1) + columns
    gradients = np.bincount(
        cells.ravel(), np.concatenate([own, -carried], 1).ravel(), len(number) * (size + 1)
    )
    return gradients.reshape(len(number), size + 1)[:, :size]
