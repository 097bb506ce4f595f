"""Errors of observations and their derivatives (docs/sparse_alignment.md, "Losses").

All is relative: the source's point goes into the target's frame, and its distance from what the target says
is measured there. With target_from_source (R, t), the source's pixel p and K_s, its view's depth scale S, its
anchor's depth h over it, the ratio r of its depth to the anchor's, and the base focal f_0:

    P = d R K_s^-1 (p, 1) + t        the point in the target's frame
    d = S h (1 + (r - 1) f_0 / f_s)        its depth: with a longer focal the same relief is flatter

P moves

- by a left perturbation (v, w) of the relative pose by v x P + w,
- by the log depth by P - t,
- by the source's log focal by d (R e_z - ray) - d q / (1 + q) ray, with ray = R K_s^-1 (p, 1) and
  q = (r - 1) f_0 / f_s: the ray tends to the optical axis e_z, and the relief flattens,
- by the source's principal point over the image size (W, H) by -d W / f_s R e_x and -d H / f_s R e_y.

What the target says is a pixel K_t P / P_z (then de = f_t / P_z (dP_x, dP_y) - (u, v) dP_z / P_z, with the
pixel (u, v) from the principal point), a point of its own, in units of its depth scale, or a point of a
pointmap. Held against differences of the errors by test_every_column_agrees_with_differences in
test_model.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch

from align.sparse.robust import Robust, robust_value
from align.sparse.robust_sums import FAR_PX, LEAST_DEPTH
from align.sparse.second_order.observations import TiledObservations
from align.sparse.second_order.state import SparseState, ViewIntrinsics, rotated


class Row(IntEnum):
    """Rows of an observation: derivatives of its error, and the error itself."""

    ROTATION_X = 0
    """Left perturbation of the relative pose."""
    ROTATION_Y = 1
    ROTATION_Z = 2
    TRANSLATION_X = 3
    TRANSLATION_Y = 4
    TRANSLATION_Z = 5
    LOG_DEPTH = 6
    """Of the source's point."""
    ERROR = 7
    TARGET_LOG_SCALE = 8
    """The last one where both ends are points of their views: nothing else depends on intrinsics there."""
    SOURCE_LOG_FOCAL = 8
    """From here on there are as many rows as there are intrinsics that may move."""
    TARGET_LOG_FOCAL = 9
    SOURCE_CENTRE_X = 10
    """Principal points over the image size."""
    SOURCE_CENTRE_Y = 11
    TARGET_CENTRE_X = 12
    TARGET_CENTRE_Y = 13


POSE = slice(Row.ROTATION_X, Row.TRANSLATION_Z + 1)
SOURCE_CENTRE = slice(Row.SOURCE_CENTRE_X, Row.SOURCE_CENTRE_Y + 1)
TARGET_CENTRE = slice(Row.TARGET_CENTRE_X, Row.TARGET_CENTRE_Y + 1)

_Vector = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Seen:
    """Where the points of observations lie in their targets' frames."""

    R: np.ndarray  # (D, 3, 3), target_from_source
    t: np.ndarray  # (D, 3)
    depth: np.ndarray  # (T, S), in the source
    ray: np.ndarray  # (T, 3, S), of the source at depth 1, in the target's axes
    point: np.ndarray  # (T, 3, S)
    error: np.ndarray  # (T, K, S), pixels where the target says a pixel, else the world's unit
    distance: np.ndarray  # (T, S), length of the error, smoothed


def seen_of(obs: TiledObservations, state: SparseState, intrinsics: ViewIntrinsics, smooth: float) -> Seen:
    """Return where every observation's point lies and by how much it is off; distances are
    sqrt(d^2 + smooth^2).
    """
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
    of_kind = _pixel_rows if obs.kind == "reprojection" else _point_rows
    return of_kind(obs, intrinsics, seen, num_rows)


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

    def put(row: Row, along_u: np.ndarray | float, along_v: np.ndarray | float) -> None:
        rows[:, row, 0], rows[:, row, 1] = along_u, along_v

    def put_motion(row: Row, by: _Vector) -> None:
        put(row, s * by[0] - su * by[2], s * by[1] - sv * by[2])

    put(Row.ROTATION_X, -su * y, -s * z - sv * y)
    put(Row.ROTATION_Y, s * z + su * x, sv * x)
    put(Row.ROTATION_Z, -v, u)
    put(Row.TRANSLATION_X, s, 0)
    put(Row.TRANSLATION_Y, 0, s)
    put(Row.TRANSLATION_Z, -su, -sv)
    put_motion(Row.LOG_DEPTH, _by_depth(seen, group))
    for row, by in _by_source_intrinsics(obs, intrinsics, seen, num_rows):
        put_motion(row, by)
    if num_rows > Row.TARGET_LOG_FOCAL:
        put(Row.TARGET_LOG_FOCAL, u, v)
    centred = np.where(in_front, 1, z * inverse_z)
    if num_rows == TARGET_CENTRE.stop:
        width, height = intrinsics.size[target][group].T[..., None]
        put(Row.TARGET_CENTRE_X, width * centred, 0)
        put(Row.TARGET_CENTRE_Y, 0, height * centred)
    # A coordinate that the reference cuts has no gradient, whatever the other one does.
    for axis, at in enumerate((u + cx * centred, v + cy * centred)):
        tile, entry = np.nonzero((at < FAR_PX[0]) | (at > FAR_PX[1]))
        rows[tile, :, axis, entry] = 0
    rows[:, Row.ERROR] = seen.error
    return rows


def _point_rows(obs: TiledObservations, intrinsics: ViewIntrinsics, seen: Seen, num_rows: int) -> np.ndarray:
    target, group = obs.direction[:, 1], obs.group
    x, y, z = seen.point.transpose(1, 0, 2)
    rows = np.zeros((len(group), num_rows, 3, x.shape[1]))
    rows[:, Row.ROTATION_X, 1], rows[:, Row.ROTATION_X, 2] = -z, y
    rows[:, Row.ROTATION_Y, 0], rows[:, Row.ROTATION_Y, 2] = z, -x
    rows[:, Row.ROTATION_Z, 0], rows[:, Row.ROTATION_Z, 1] = -y, x
    for axis, row in enumerate((Row.TRANSLATION_X, Row.TRANSLATION_Y, Row.TRANSLATION_Z)):
        rows[:, row, axis] = 1
    rows[:, Row.LOG_DEPTH] = np.stack(_by_depth(seen, group), 1)
    rows[:, Row.ERROR] = seen.error
    if obs.kind == "point-to-point":
        rows[:, Row.TARGET_LOG_SCALE] = -intrinsics.scale[target][group, None, None] * obs.seen
        return rows
    for row, by in _by_source_intrinsics(obs, intrinsics, seen, num_rows):
        rows[:, row] = np.stack(by, 1)
    return rows


def _by_depth(seen: Seen, group: np.ndarray) -> _Vector:
    """Return the derivative of the points by their log depth."""
    x, y, z = seen.point.transpose(1, 0, 2)
    t = seen.t[group].T[..., None]
    return x - t[0], y - t[1], z - t[2]


def _by_source_intrinsics(
    obs: TiledObservations, intrinsics: ViewIntrinsics, seen: Seen, num_rows: int
) -> list[tuple[Row, _Vector]]:
    """Return rows, and the derivatives of the points by the source's log focal and by its principal point
    over the image size.
    """
    if num_rows <= Row.SOURCE_LOG_FOCAL:
        return []
    source, group = obs.direction[:, 0], obs.group
    # The source's axes (3, T, 1), as the target sees them.
    x, y, z = seen.R[group].transpose(2, 1, 0)[..., None]
    flat = obs.ratio_minus_one * intrinsics.focal_ratio[source][group, None]
    along = -1 - flat / (1 + flat)
    by_focal = tuple(seen.depth * (along * ray + axis) for ray, axis in zip(seen.ray.transpose(1, 0, 2), z))
    by = [(Row.SOURCE_LOG_FOCAL, by_focal)]
    if num_rows > SOURCE_CENTRE.start:
        for k, (row, axis) in enumerate(((Row.SOURCE_CENTRE_X, x), (Row.SOURCE_CENTRE_Y, y))):
            slope = -seen.depth * (intrinsics.size[source, k] / intrinsics.focal[source])[group, None]
            by.append((row, tuple(slope * each for each in axis)))
    return by
