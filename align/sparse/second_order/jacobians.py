"""Errors of links and their derivatives (docs/sparse_alignment.md, "Losses").

All is relative: the source's point goes into the target's frame, and its distance from what the target says
is measured there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from align.sparse.robust import Robust, robust_value
from align.sparse.robust_sums import FAR_PX, LEAST_DEPTH
from align.sparse.second_order.observations import TiledObservations
from align.sparse.second_order.state import SparseState, ViewIntrinsics, rotated

POSE, DEPTH, ERROR = slice(0, 6), 6, 7
"""Rows of a link: left perturbation (turn, shift) of the relative pose, log depth of the source's point, the
error itself."""
TARGET_SCALE = 8
"""Where both ends are points of their views, the last: log size of the target's."""
SOURCE_FOCAL, TARGET_FOCAL, SOURCE_CENTRE, TARGET_CENTRE = 8, 9, slice(10, 12), slice(12, 14)
"""Else log focals, then principal points over the image size, as many of these as may move."""

_Vector = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Seen:
    """Where the points of links lie in their targets' frames."""

    R: np.ndarray  # (D, 3, 3), target_from_source
    t: np.ndarray  # (D, 3)
    depth: np.ndarray  # (T, S), in the source
    ray: np.ndarray  # (T, 3, S), of the source at depth 1, in the target's axes
    point: np.ndarray  # (T, 3, S)
    error: np.ndarray  # (T, K, S), pixels where the target says a pixel, else the world's unit
    distance: np.ndarray  # (T, S), length of the error, smoothed


def seen_of(obs: TiledObservations, state: SparseState, intrinsics: ViewIntrinsics, smooth: float) -> Seen:
    """Return where every link's point lies and by how much it is off; distances are sqrt(d^2 + smooth^2)."""
    (source, target), group = obs.direction.T, obs.group
    into = state.R_world_from_cam[target].transpose(0, 2, 1)
    R, t = into @ state.R_world_from_cam[source], rotated(into, state.centre[source] - state.centre[target])
    ray = (R @ _inverse_K(intrinsics, source))[group] @ obs.pixel
    flat = obs.ratio_minus_one * intrinsics.focal_ratio[source][group, None]
    depth = state.shape[obs.anchor] * intrinsics.scale[source][group, None] * (1 + flat)
    point = ray * depth[:, None] + t[group][..., None]
    if obs.kind == "reprojection":
        # As in the reference, K is applied before the division: nearer than the least depth the principal
        # point shrinks too.
        z = point[:, 2:]
        error = (
            intrinsics.focal[target][group, None, None] * point[:, :2]
            + intrinsics.centre[target][group][..., None] * z
        )
        error /= np.maximum(z, LEAST_DEPTH)
        np.clip(error, *FAR_PX, out=error)
        error -= obs.seen
    else:
        unit = intrinsics.scale[target][group, None, None] if obs.kind == "point-to-point" else 1.0
        error = point - unit * obs.seen
    return Seen(R, t, depth, ray, point, error, np.sqrt(np.einsum("tks,tks->ts", error, error) + smooth**2))


def _inverse_K(intrinsics: ViewIntrinsics, view: np.ndarray) -> np.ndarray:
    """Return the matrices (D, 3, 3) that carry homogeneous pixels of views (D,) to depth 1."""
    inverse = np.zeros((len(view), 3, 3))
    inverse[:, 0, 0] = inverse[:, 1, 1] = 1 / intrinsics.focal[view]
    inverse[:, :2, 2] = -intrinsics.centre[view] / intrinsics.focal[view, None]
    inverse[:, 2, 2] = 1
    return inverse


def robust_sum(seen: Seen, weight: np.ndarray, robust: Robust) -> float:
    """Return the sum of weight (T, S) times rho(distance)."""
    return float(np.vdot(weight, robust_value(robust, torch.from_numpy(seen.distance)).numpy()))


def jacobian_rows(
    obs: TiledObservations, intrinsics: ViewIntrinsics, seen: Seen, num_rows: int
) -> np.ndarray:
    """Return the first rows (T, R, K, S): derivatives of the error's K components, and the error."""
    return (
        _pixel_rows(obs, intrinsics, seen, num_rows)
        if obs.kind == "reprojection"
        else _point_rows(obs, intrinsics, seen, num_rows)
    )


def _pixel_rows(obs: TiledObservations, intrinsics: ViewIntrinsics, seen: Seen, num_rows: int) -> np.ndarray:
    target, group = obs.direction[:, 1], obs.group
    x, y, z = seen.point.transpose(1, 0, 2)
    inverse_z, (cx, cy) = 1 / np.maximum(z, LEAST_DEPTH), intrinsics.centre[target][group].T[..., None]
    s = intrinsics.focal[target][group, None] * inverse_z
    u, v = s * x, s * y  # pixels from the principal point
    # Nearer than the least depth a point is projected from there: its own depth moves the principal point
    # alone.
    in_front = z >= LEAST_DEPTH
    su, sv = np.where(in_front, u, -cx) * inverse_z, np.where(in_front, v, -cy) * inverse_z
    rows = np.empty((len(group), num_rows, 2, x.shape[1]))

    def put(row: int, by: _Vector) -> None:
        rows[:, row, 0], rows[:, row, 1] = s * by[0] - su * by[2], s * by[1] - sv * by[2]

    rows[:, 0, 0], rows[:, 0, 1] = -su * y, -s * z - sv * y
    rows[:, 1, 0], rows[:, 1, 1] = s * z + su * x, sv * x
    rows[:, 2, 0], rows[:, 2, 1] = -v, u
    rows[:, 3, 0], rows[:, 3, 1], rows[:, 4, 0], rows[:, 4, 1] = s, 0, 0, s
    rows[:, 5, 0], rows[:, 5, 1] = -su, -sv
    put(DEPTH, _by_depth(seen, group))
    for row, by in _by_source_intrinsics(obs, intrinsics, seen, num_rows):
        put(row, by)
    if num_rows > TARGET_FOCAL:
        rows[:, TARGET_FOCAL, 0], rows[:, TARGET_FOCAL, 1] = u, v
    centred = np.where(in_front, 1, z * inverse_z)
    if num_rows == TARGET_CENTRE.stop:
        width, height = intrinsics.size[target][group].T[..., None]
        rows[:, 12, 0], rows[:, 12, 1], rows[:, 13, 0], rows[:, 13, 1] = (
            width * centred,
            0,
            0,
            height * centred,
        )
    for axis, at in enumerate((u + cx * centred, v + cy * centred)):
        tile, slot = np.nonzero((at < FAR_PX[0]) | (at > FAR_PX[1]))
        rows[tile, :, axis, slot] = 0
    rows[:, ERROR] = seen.error
    return rows


def _point_rows(obs: TiledObservations, intrinsics: ViewIntrinsics, seen: Seen, num_rows: int) -> np.ndarray:
    target, group = obs.direction[:, 1], obs.group
    x, y, z = seen.point.transpose(1, 0, 2)
    rows = np.zeros((len(group), num_rows, 3, x.shape[1]))
    rows[:, 0, 1], rows[:, 0, 2] = -z, y
    rows[:, 1, 0], rows[:, 1, 2] = z, -x
    rows[:, 2, 0], rows[:, 2, 1] = -y, x
    rows[:, 3, 0] = rows[:, 4, 1] = rows[:, 5, 2] = 1
    for axis, by in enumerate(_by_depth(seen, group)):
        rows[:, DEPTH, axis] = by
    rows[:, ERROR] = seen.error
    if obs.kind == "point-to-point":
        rows[:, TARGET_SCALE] = -intrinsics.scale[target][group, None, None] * obs.seen
        return rows
    for row, by in _by_source_intrinsics(obs, intrinsics, seen, num_rows):
        for axis in range(3):
            rows[:, row, axis] = by[axis]
    return rows


def _by_depth(seen: Seen, group: np.ndarray) -> _Vector:
    """Return the derivative of the points by their log depth."""
    x, y, z = seen.point.transpose(1, 0, 2)
    t = seen.t[group].T[..., None]
    return x - t[0], y - t[1], z - t[2]


def _by_source_intrinsics(
    obs: TiledObservations, intrinsics: ViewIntrinsics, seen: Seen, num_rows: int
) -> list[tuple[int, _Vector]]:
    """Return rows, and the derivatives of the points by the source's log focal and by its principal point
    over the image size.
    """
    if num_rows <= SOURCE_FOCAL:
        return []
    source, group = obs.direction[:, 0], obs.group
    x, y, z = seen.R[group].transpose(2, 1, 0)[
        ..., None
    ]  # the source's axes (3, T, 1), as the target sees them
    flat = obs.ratio_minus_one * intrinsics.focal_ratio[source][group, None]
    # The ray tends to the optical axis; the relief flattens with the focal, and with it the depth.
    along = -1 - flat / (1 + flat)
    by = [
        (
            SOURCE_FOCAL,
            tuple(seen.depth * (along * ray + axis) for ray, axis in zip(seen.ray.transpose(1, 0, 2), z)),
        )
    ]
    if num_rows > SOURCE_CENTRE.start:
        for k, axis in enumerate((x, y)):
            slope = -seen.depth * (intrinsics.size[source, k] / intrinsics.focal[source])[group, None]
            by.append((SOURCE_CENTRE.start + k, tuple(slope * each for each in axis)))
    return by
