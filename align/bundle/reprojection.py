"""Reprojection errors with depths that hang on 8 x 8 blocks, and their equations
(docs/bundle_alignment.md, "Reprojection Jacobian").

A pixel at its canonical depth times exp(log scale of the view + offset of the block) goes into the partner
view, where its match should be. With target_from_source (R, t), focals f, principal points c, the source
pixel p at depth d and its match q:

    P = d R ((p - c_s) / f_s, 1) + t        the point in the target's camera
    e = f_t (P_x / P_z, P_y / P_z) - (q - c_t)        its error

Pixels are those along x: what lies along y is stretched by the aspect beforehand, so that one focal serves
both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from align.bundle.intrinsics import SharedIntrinsics
from align.bundle.observations import Observations

_NEAREST = 0.01
"""A point nearer to the partner than this share of its depth has no say in the equations."""
_BEHIND_PX2 = 1e4
"""What its squared error counts for."""

POSE = slice(0, 6)
"""Rows of the left perturbation (rotation, translation) of the relative pose."""


@dataclass(frozen=True, slots=True)
class JacobianRows:
    """Which rows of an observation are derivatives by what: after the pose come the intrinsics of both views
    (log focal, and where it is free the principal point), and the error itself.
    """

    num_params: int
    """Intrinsics of a camera that may move."""

    @property
    def source(self) -> slice:
        """The source's intrinsics."""
        return slice(6, 6 + self.num_params)

    @property
    def target(self) -> slice:
        """The target's intrinsics."""
        return slice(6 + self.num_params, self.error)

    @property
    def error(self) -> int:
        """The error."""
        return 6 + 2 * self.num_params

    @property
    def depth(self) -> int:
        """The log depth, which has a place behind the error in the sums over runs only."""
        return self.error + 1


@dataclass(frozen=True, slots=True)
class BundleState:
    """All unknowns."""

    R_cam_from_world: np.ndarray  # (V, 3, 3)
    t_cam_from_world: np.ndarray  # (V, 3)
    log_scale: np.ndarray  # (V,)
    log_focal: np.ndarray  # (C,), pixels
    principal_point_offset: np.ndarray  # (C, 2), of the principal points, pixels along x
    offset: np.ndarray  # (V, B)
    """Log offset of each block's depth; 0 in the padding."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Where the M points fall in the partner's view."""

    rotated: np.ndarray  # (3, M)
    """Point rotated into the partner's axes, before the translation."""
    slope: np.ndarray  # (2, M), (x / z, y / z) in the partner
    z: np.ndarray  # (M,), depth in the partner
    depth: np.ndarray  # (M,), depth in the source
    error: np.ndarray  # (2, M), pixels
    in_front: np.ndarray  # (M,) bool


@dataclass(frozen=True, slots=True)
class BundleGrams:
    """Gram blocks: sums of products of Jacobian rows, each observation with its weight."""

    by_direction: np.ndarray  # (D, r, r), r = 7 + 2 x the intrinsics of a camera
    by_run: np.ndarray  # (U, r + 1)
    """Products of the log depth's row with the r rows and with itself."""


def relative_poses(state: BundleState, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return target_from_source rotations (D, 3, 3) and translations (D, 3)."""
    source, target = direction.T
    R = state.R_cam_from_world[target] @ state.R_cam_from_world[source].transpose(0, 2, 1)
    return R, state.t_cam_from_world[target] - (R @ state.t_cam_from_world[source][..., None])[..., 0]


def project_observations(obs: Observations, intrinsics: SharedIntrinsics, state: BundleState) -> Projection:
    """Return where every observation's point falls and its errors."""
    source, target = obs.direction.T
    R, t = relative_poses(state, obs.direction)
    count, focal = np.diff(obs.direction_start), np.exp(state.log_focal)[intrinsics.camera]
    scale = np.exp(state.log_scale[obs.run_view] + state.offset[obs.run_view, obs.run_block])
    depth = obs.depth * np.repeat(scale, np.diff(obs.run_start))
    ray, seen = obs.ray, obs.seen
    if intrinsics.free_principal_point:
        offset = state.principal_point_offset[intrinsics.camera]
        ray, seen = (
            pixel - np.repeat(offset[view].T, count, axis=1)
            for pixel, view in ((ray, source), (seen, target))
        )
    # Rays are kept in pixels: the source's focal goes into the matrix, of which there is one a direction.
    by_pixel = R / np.stack([focal[source], focal[source], np.ones(len(source))], 1)[:, None]
    g = np.repeat(by_pixel.reshape(-1, 9).T, count, axis=1)
    rotated = np.stack([depth * (g[3 * k] * ray[0] + g[3 * k + 1] * ray[1] + g[3 * k + 2]) for k in range(3)])
    x, y, z = rotated + np.repeat(t.T, count, axis=1)
    # A share of the depth, not a length: the world's unit is free.
    in_front = z > _NEAREST * depth
    inverse = 1 / np.where(in_front, z, 1)
    slope = np.stack([x * inverse, y * inverse])
    return Projection(rotated, slope, z, depth, np.repeat(focal[target], count) * slope - seen, in_front)


def squared_errors(projection: Projection) -> np.ndarray:
    """Return squared errors (M,) in pixels; a point behind the partner counts as far off."""
    error = projection.error
    return np.where(projection.in_front, error[0] * error[0] + error[1] * error[1], _BEHIND_PX2)


def robust_cost(squared: np.ndarray, weight: np.ndarray, kernel_width: float) -> float:
    """Return the sum of Cauchy's kernel of the errors; weights fall to a half at `kernel_width` pixels."""
    return float(kernel_width**2 / 2 * (weight @ np.log1p(squared / kernel_width**2)))


def robust_weights(projection: Projection, weight: np.ndarray, kernel_width: float) -> np.ndarray:
    """Return the weights (M,) with which least squares have the robust cost's gradient."""
    return np.where(projection.in_front, weight / (1 + squared_errors(projection) / kernel_width**2), 0)


def bundle_grams(
    obs: Observations,
    intrinsics: SharedIntrinsics,
    state: BundleState,
    projection: Projection,
    weight: np.ndarray,
) -> BundleGrams:
    """Return the sums of products of all rows by direction, and of those with the depth by run."""
    rows, depth_row = _jacobian_rows(obs, intrinsics, state, projection, np.sqrt(weight))
    num_rows = len(rows)
    # Row by row, not as one product: what is always 0 is then left out of the sums.
    by_direction = np.zeros((num_rows, num_rows, len(obs.direction)))
    for k in range(num_rows - 1):
        for l in range(k, num_rows):
            by_direction[k, l] = by_direction[l, k] = _sums(rows[k], rows[l], obs.direction_start)
    by_run = [_sums(depth_row, row, obs.run_start) for row in (*rows, depth_row)]
    return BundleGrams(np.ascontiguousarray(by_direction.transpose(2, 0, 1)), np.stack(by_run, 1))


def concatenated(parts: Sequence[BundleGrams], rows: JacobianRows) -> BundleGrams:
    """Return the sums of consecutive pieces of the observations as one."""
    if not parts:
        return BundleGrams(np.zeros((0, rows.depth, rows.depth)), np.zeros((0, rows.depth + 1)))
    return BundleGrams(
        np.concatenate([part.by_direction for part in parts]), np.concatenate([part.by_run for part in parts])
    )


_Row = tuple[np.ndarray | None, np.ndarray | None]
"""Derivatives (M,) of the error along x and along y; none where it is always 0."""


def _jacobian_rows(
    obs: Observations,
    intrinsics: SharedIntrinsics,
    state: BundleState,
    projection: Projection,
    root: np.ndarray,
) -> tuple[list[_Row], _Row]:
    """Return the rows in the order of `JacobianRows`, and that of the log depth, scaled by the root of the
    weight (M,).

    With a = P_x / P_z, b = P_y / P_z and s = f_t / P_z:  de = s (dP_x - a dP_z, dP_y - b dP_z).
    The point moves

    - by a left perturbation (v, w) of the relative pose by v x P + w,
    - by the log depth by P - t,
    - by the source's log focal by d R e_z - (P - t): the ray tends to the optical axis e_z,
    - by the source's principal point by -d R e_x / f_s and -d R e_y / f_s.

    The target's log focal moves the error by f_t (a, b), its principal point by 1. Held against differences
    of the errors by test_every_column_agrees_with_differences in test_reprojection.py.
    """
    count = np.diff(obs.direction_start)
    focal = np.exp(state.log_focal)[intrinsics.camera]
    R, _ = relative_poses(state, obs.direction)
    a, b = projection.slope
    x, y, z = projection.rotated  # P - t
    f = root * np.repeat(focal[obs.direction[:, 1]], count)
    s = f / np.where(projection.in_front, projection.z, 1)
    # s P_x = f a, s P_y = f b and s P_z = f: by rotations no depth is left.
    fa, fb = f * a, f * b
    fab = fa * b
    axis_x, axis_y, axis_z = np.repeat(R[:, :, 2].T, count, axis=1) * projection.depth - projection.rotated
    by_source_centre, by_target_centre = [], []
    if intrinsics.free_principal_point:
        # R e_x and R e_y interleaved: entry 2 i + k is component i of column k.
        columns = (
            np.repeat((R[:, :, :2] / focal[obs.direction[:, 0], None, None]).reshape(-1, 6).T, count, axis=1)
            * projection.depth
        )
        by_source_centre = [
            (s * (a * columns[4 + k] - columns[k]), s * (b * columns[4 + k] - columns[2 + k]))
            for k in range(2)
        ]
        by_target_centre = [(root, None), (None, root)]
    rows: list[_Row] = [
        (-fab, -f - fb * b),  # rotation about x: (0, -P_z, P_y)
        (f + fa * a, fab),  # about y: (P_z, 0, -P_x)
        (-fb, fa),  # about z: (-P_y, P_x, 0)
        (s, None),  # translation
        (None, s),
        (-s * a, -s * b),
        (s * (axis_x - a * axis_z), s * (axis_y - b * axis_z)),  # log focal of the source
        *by_source_centre,
        (fa, fb),  # log focal of the target
        *by_target_centre,
        (root * projection.error[0], root * projection.error[1]),
    ]
    return rows, (s * (x - a * z), s * (y - b * z))


def _sums(one: _Row, other: _Row, start: np.ndarray) -> np.ndarray:
    """Return the sums of the products of two rows over both axes and over runs with the bounds `start`."""
    along = [p * q for p, q in zip(one, other) if p is not None and q is not None]
    if not along:
        return np.zeros(len(start) - 1)
    return np.add.reduceat(along[0] + along[1] if len(along) == 2 else along[0], start[:-1])
