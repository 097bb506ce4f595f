"""How a change of one pose moves a relative pose.

Poses are perturbed from the left, cam_from_world -> exp(v, w) cam_from_world, with a rotation v and a
translation w along the camera's own axes. With T = target_from_source = T_t T_s^-1, and Ad_T its adjoint,

    exp(x_t) T_t (exp(x_s) T_s)^-1 = exp(x_t) T exp(-x_s) = exp(x_t - Ad_T x_s + higher order) T:

the target's perturbation is the relative pose's own, the source's comes through minus the adjoint.
"""

from __future__ import annotations

import numpy as np


def minus_adjoint(R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return -Ad_T (D, 6, 6) of rigid transforms with rotations R (D, 3, 3) and translations t (D, 3):
    [-R, 0; -[t]x R, -R], rotations before translations.
    """
    minus = np.zeros((len(R), 6, 6))
    minus[:, :3, :3] = minus[:, 3:, 3:] = -R
    minus[:, 3:, :3] = -cross_matrix(t) @ R
    return minus


def cross_matrix(vector: np.ndarray) -> np.ndarray:
    """Return the matrices (D, 3, 3) [a]x with [a]x b = a x b of vectors (D, 3)."""
    matrix = np.zeros((len(vector), 3, 3))
    matrix[:, [2, 0, 1], [1, 2, 0]], matrix[:, [1, 2, 0], [2, 0, 1]] = vector, -vector
    return matrix
