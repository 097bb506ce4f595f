"""How a change of one pose moves a relative pose."""

from __future__ import annotations

import numpy as np


def minus_adjoint(R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return how a left perturbation of the source's pose perturbs the relative one (D, 6, 6)."""
    minus = np.zeros((len(R), 6, 6))
    minus[:, :3, :3] = minus[:, 3:, 3:] = -R
    minus[:, 3:, :3] = -cross_matrix(t) @ R
    return minus


def cross_matrix(vector: np.ndarray) -> np.ndarray:
    matrix = np.zeros((len(vector), 3, 3))
    matrix[:, [2, 0, 1], [1, 2, 0]], matrix[:, [1, 2, 0], [2, 0, 1]] = vector, -vector
    return matrix
