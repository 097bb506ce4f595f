"""roma's rotations for numpy: the aligners' arrays are numpy's, roma works on tensors.

Tensors made here share memory with the arrays, so that nothing is copied either way.
"""

from __future__ import annotations

import numpy as np
import roma
import torch


def rotation_of(vector: np.ndarray) -> np.ndarray:
    """Return the rotations (..., 3, 3) by rotation vectors (..., 3), in radians."""
    return roma.rotvec_to_rotmat(torch.from_numpy(vector)).numpy()


def rotation_vector(R: np.ndarray) -> np.ndarray:
    """Return the rotation vectors (..., 3) of rotations (..., 3, 3), in radians, at most pi long."""
    return roma.rotmat_to_rotvec(torch.from_numpy(R)).numpy()


def rotation_angle(R: np.ndarray) -> np.ndarray:
    """Return the angles (...) of rotations (..., 3, 3), in radians."""
    return roma.rotmat_to_rotvec(torch.from_numpy(R)).norm(dim=-1).numpy()


def nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """Return the rotations (..., 3, 3) nearest to matrices (..., 3, 3) in the Frobenius norm: of a sum of
    rotations, their chordal mean.
    """
    return roma.special_procrustes(torch.from_numpy(matrix)).numpy()


def angle_between(R: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the angles (...) by which rotations (..., 3, 3) differ, in radians."""
    return roma.rotmat_geodesic_distance(torch.from_numpy(R), torch.from_numpy(other)).numpy()
