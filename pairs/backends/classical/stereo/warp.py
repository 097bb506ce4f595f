"""From a pixel of one view to its place in another, by inverse depth.

With q the inverse depth in view a, x = (x, y, 1) a pixel of a, and b_from_a = [R | t], the point's place in b
is

    w (x_b, y_b, 1) = H x + q e,      H = K_b R K_a^-1,   e = K_b t,

and the point's inverse depth in b is q / w: everything that the sweep, the agreement and the matches need,
without a point in space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairs.views.cameras import Cameras

_OUTSIDE = -1e4
"""Coordinate, in pixels, of what lies behind the other camera: outside every picture, yet harmless to
interpolation."""


@dataclass(frozen=True, slots=True)
class Warp:
    """Place in view b of a pixel of view a with a known inverse depth."""

    homography: np.ndarray  # (3, 3), K_b R K_a^-1
    epipole: np.ndarray  # (3,), K_b t


def warp_between(cameras: Cameras, b: int, a: int) -> Warp:
    """Return the transfer to view `b` from view `a`; pixels are those of the grid that the cameras' K belong
    to.
    """
    b_from_a = cameras.cam_from_world[b] @ cameras.world_from_cam[a]
    return Warp(cameras.K[b] @ b_from_a[:3, :3] @ np.linalg.inv(cameras.K[a]), cameras.K[b] @ b_from_a[:3, 3])


def from_crop(move: Warp, corner: tuple[int, int]) -> Warp:
    """Return the same transfer for pixels counted from `corner` (x, y) of view a."""
    shift = np.eye(3)
    shift[:2, 2] = corner
    return Warp(move.homography @ shift, move.epipole)


def halved_warp(move: Warp) -> Warp:
    """Return the same transfer between pictures of half the size, each pixel the mean of four."""
    # Centres at integers: pixel x of the half picture lies at 2 x + 1/2 of the whole one.
    double = np.array([[2.0, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
    half = np.linalg.inv(double)
    return Warp(half @ move.homography @ double, half @ move.epipole)


def plane_homography(move: Warp, inverse_depth: float) -> np.ndarray:
    """Return the homography (3, 3) to b from a for all points of one inverse depth in a."""
    # H x + q e with x = (x, y, 1): q adds to the third column alone.
    induced = move.homography.copy()
    induced[:, 2] += inverse_depth * move.epipole
    return induced


def warp_image_to(
    move: Warp, x: np.ndarray, y: np.ndarray, inverse_depth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Carry pixels of a (arrays that broadcast) to b: (x_b, y_b, inverse depth in b). What lies behind b
    lands far outside its picture.
    """
    H = move.homography.tolist()
    e = move.epipole.tolist()
    w = H[2][0] * x + H[2][1] * y + (H[2][2] + inverse_depth * e[2])
    # w is depth in b over depth in a: a ratio, so the limit needs no unit.
    front = w > 1e-6
    w = np.where(front, w, 1)
    x_b = (H[0][0] * x + H[0][1] * y + (H[0][2] + inverse_depth * e[0])) / w
    y_b = (H[1][0] * x + H[1][1] * y + (H[1][2] + inverse_depth * e[1])) / w
    return np.where(front, x_b, _OUTSIDE), np.where(front, y_b, _OUTSIDE), inverse_depth / w


def sample_valid(
    maps: Sequence[np.ndarray], valid: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the maps (H, W) read bilinearly at pixels x, y (N,), float64, and whether all four pixels around
    lie in the map and are valid (N,).

    Values that are not valid are read at a corner of the map: finite and meaningless.
    """
    h, w = valid.shape
    inside = (x >= 0) & (y >= 0) & (x <= w - 1) & (y <= h - 1)
    # A position on the last row or column counts as the far end of the cell before it.
    column = np.where(inside, np.minimum(x, w - 2), 0).astype(np.intp)
    row = np.where(inside, np.minimum(y, h - 2), 0).astype(np.intp)
    right, down = np.where(inside, x - column, 0.0), np.where(inside, y - row, 0.0)
    first = row * w + column
    corners = [
        (first, (1 - right) * (1 - down)),
        (first + 1, right * (1 - down)),
        (first + w, (1 - right) * down),
        (first + w + 1, right * down),
    ]
    # All four: one invalid corner would mix background or a hole into the value.
    flat = valid.ravel()
    for index, _ in corners:
        inside = inside & flat[index]
    return [
        sum((values.ravel()[index] * weight for index, weight in corners), np.zeros(len(x)))
        for values in maps
    ], inside
