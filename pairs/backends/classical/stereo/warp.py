"""From a pixel of one view to its place in another, by inverse depth.

With q the inverse depth in view a, x = (x, y, 1) a pixel of a, and b_from_a = [R | t], the point's place in b is

    w (x_b, y_b, 1) = H x + q e,      H = K_b R K_a^-1,   e = K_b t,

and the point's inverse depth in b is q / w: everything that the sweep, the agreement and the matches need, without a point in space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairs.views.cameras import Cameras

_OUTSIDE = -1e4
"""Coordinate, in pixels, of what lies behind the other camera: outside every picture, yet harmless to interpolation."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Place in view b of a pixel of view a with a known inverse depth."""

    homography: np.ndarray  # (3, 3), K_b R K_a^-1
    epipole: np.ndarray  # (3,), K_b t


def transfer(cameras: Cameras, b: int, a: int) -> Transfer:
    """Return the transfer to view `b` from view `a`; pixels are those of the grid that the cameras' K belong to."""
    b_from_a = cameras.cam_from_world[b] @ cameras.world_from_cam[a]
    return Transfer(cameras.K[b] @ b_from_a[:3, :3] @ np.linalg.inv(cameras.K[a]), cameras.K[b] @ b_from_a[:3, 3])


def from_crop(move: Transfer, corner: tuple[int, int]) -> Transfer:
    """Return the same transfer for pixels counted from `corner` (x, y) of view a."""
    shift = np.eye(3)
    shift[:2, 2] = corner
    return Transfer(move.homography @ shift, move.epipole)


def plane_homography(move: Transfer, inverse_depth: float) -> np.ndarray:
    """Return the homography (3, 3) to b from a for all points of one inverse depth in a."""
    induced = move.homography.copy()
    induced[:, 2] += inverse_depth * move.epipole
    return induced


def carry(move: Transfer, x: np.ndarray, y: np.ndarray, inverse_depth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Carry pixels of a (arrays that broadcast) to b: (x_b, y_b, inverse depth in b). What lies behind b lands far outside its picture."""
    H = move.homography.tolist()
    e = move.epipole.tolist()
    w = H[2][0] * x + H[2][1] * y + (H[2][2] + inverse_depth * e[2])
    front = w > 1e-6
    w = np.where(front, w, 1)
    x_b = (H[0][0] * x + H[0][1] * y + (H[0][2] + inverse_depth * e[0])) / w
    y_b = (H[1][0] * x + H[1][1] * y + (H[1][2] + inverse_depth * e[1])) / w
    return np.where(front, x_b, _OUTSIDE), np.where(front, y_b, _OUTSIDE), inverse_depth / w
