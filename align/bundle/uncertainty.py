"""Standard deviations of a solution's cameras (the default aligner's design, chapter 8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from align.bundle.model import BlockModel, assemble, direction_equations, prior_sigmas, weighted_sums
from align.bundle.reprojection import BlockState, BlockSums, Rows
from align.solver.least_squares import Equations, factorised, reduced

_CALIBRATION = 2.0
"""Errors of simulated scenes are larger by this factor, in all of them alike: what matches of different pairs
share is left out of account."""
_LEAST_FOCAL = 0.01
"""The focal's error is a common bias of matches and pointmaps, which no spread shows."""
_PART = 512  # right sides


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Standard deviations; 0 for what was held, such as the root's pose, to which all others refer; infinite
    where nothing is known.
    """

    rotation_rad: np.ndarray  # (V,), over all axes
    place: np.ndarray  # (V,), of the centre over all axes, in the state's unit
    log_focal: np.ndarray  # (C,)


def uncertainty(model: BlockModel, state: BlockState, free: np.ndarray) -> Uncertainty:
    """Return standard deviations that take the matches of one pair as one measurement: errors within a pair
    go together.
    """
    sums = weighted_sums(model, state)
    equations = assemble(model, state, sums)
    matrix, _ = reduced(equations, equations.lone_diagonal)
    kept = np.flatnonzero(free)
    pull = pair_pulls(model, state, sums, equations)
    inflation = _CALIBRATION * np.sqrt(len(pull) / max(len(pull) - 1, 1))
    sigma = np.zeros(len(free))
    solver = factorised(matrix, kept)
    if solver is None:
        sigma[kept] = np.inf
    else:
        sigma[kept] = np.sqrt(
            sum(
                (solver(side[:, kept].T) ** 2).sum(1)
                for side in _sides(inflation * pull, 1 / prior_sigmas(model))
            )
        )
    return _of(sigma, state, free)


def _sides(pull: np.ndarray, prior: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the right sides (r, N) in parts: the pairs' pulls, and what the priors (N,) pull.

    A view that no match holds is as uncertain as its prior. Solutions for all of them together would take as
    much memory as a dense matrix.
    """
    for first in range(0, len(pull), _PART):
        yield pull[first : first + _PART]
    for first in range(0, len(prior), _PART):
        part = prior[first : first + _PART]
        yield part[:, None] * np.eye(len(part), len(prior), first)


def _of(sigma: np.ndarray, state: BlockState, free: np.ndarray) -> Uncertainty:
    """Return the standard deviations (N,) of the shared unknowns, sorted out."""
    n = len(state.log_size)
    pose = sigma[: 6 * n].reshape(n, 2, 3)
    rotation, place = np.sqrt((pose**2).sum(2)).T
    focals = slice(7 * n, 7 * n + len(state.log_focal))
    return Uncertainty(rotation, place, np.where(free[focals], np.maximum(sigma[focals], _LEAST_FOCAL), 0))


def pair_pulls(model: BlockModel, state: BlockState, sums: BlockSums, equations: Equations) -> np.ndarray:
    """Return each pair's part (P, N) of the reduced gradient: its own, less what the gradients of its blocks
    carry over.
    """
    obs, size = model.obs, len(equations.gradient)
    columns, _, own = direction_equations(model, state, sums)
    by_block = np.zeros((*obs.block.shape, obs.num_slots))
    by_block[obs.run_view, obs.run_lone, obs.direction_slot[obs.run_direction]] = sums.by_run[
        :, Rows(model.lenses.width).error
    ]
    by_block /= equations.lone_diagonal[..., None]
    carried = (by_block.transpose(0, 2, 1) @ equations.coupling)[
        obs.direction[:, 0], obs.direction_slot
    ]  # (D, C)
    low, high = np.sort(obs.direction, 1).T
    number, pair = np.unique(low * obs.num_views + high, return_inverse=True)
    columns = np.concatenate([columns, equations.columns[obs.direction[:, 0]]], 1)
    cells = pair[:, None] * (size + 1) + columns
    pull = np.bincount(cells.ravel(), np.concatenate([own, -carried], 1).ravel(), len(number) * (size + 1))
    return pull.reshape(len(number), size + 1)[:, :size]
