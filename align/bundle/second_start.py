"""A view's camera from points of the others that it sees: the second try for a view that the pairs have put in a wrong place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from align.bundle.intrinsics import Lenses
from align.bundle.observations import Observations
from align.bundle.reprojection import BlockState
from align.initial.motion_averaging import Start

_LEAST_POINTS = 12
_ERROR_PX = 4.0
_TRIES = 1000
_SURE = 0.9999


def resected_start(start: Start, views: Sequence[int], obs: Observations, lenses: Lenses, state: BlockState) -> Start:
    """Return a start in which all views stand as in the state, but each of `views` where the points of the views beside these are seen best.

    A view that too few of those points are seen in stays where it is. The root stays the one that the world hangs on.
    """
    R, t = state.R_cam_from_world.copy(), state.t_cam_from_world.copy()
    for view in views:
        points, pixels = _seen_points(view, np.setdiff1d(np.arange(obs.num_views), views), obs, lenses, state)
        pose = resect(points, pixels, float(np.exp(state.log_focal[lenses.camera[view]])))
        if pose is not None:
            R[view], t[view] = pose
    if start.root is not None and start.root in views:
        R, t = _hung_on(start, start.root, R, t)
    return replace(start, R_cam_from_world=R, t_cam_from_world=t, log_size=state.log_size)


def _hung_on(start: Start, root: int, R: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return poses (V, 3, 3), (V, 3) in the world in which the root stands as at the start."""
    turned = R @ R[root].T
    R, t = turned @ start.R_cam_from_world[root], t + turned @ (start.t_cam_from_world[root] - t[root])
    R[root], t[root] = start.R_cam_from_world[root], start.t_cam_from_world[root]
    return R, t


def resect(points: np.ndarray, pixels: np.ndarray, focal: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the rotation (3, 3) and translation (3,) of a camera that sees points (N, 3) at pixels (N, 2) less its principal point.

    By random samples and perspective-n-point, robust against wrong matches. Returns nothing when no camera sees enough of them.
    """
    if len(points) < _LEAST_POINTS:
        return None
    K = np.diag([focal, focal, 1.0])
    options = {"iterationsCount": _TRIES, "reprojectionError": _ERROR_PX, "confidence": _SURE, "flags": cv2.SOLVEPNP_SQPNP}
    found, turn, t, inliers = cv2.solvePnPRansac(points, pixels, K, None, **options)
    if not found or inliers is None or len(inliers) < _LEAST_POINTS:
        return None
    near = inliers[:, 0]
    turn, t = cv2.solvePnPRefineLM(points[near], pixels[near], K, None, turn, t)
    return cv2.Rodrigues(turn)[0], t[:, 0]


def _seen_points(view: int, others: np.ndarray, obs: Observations, lenses: Lenses, state: BlockState) -> tuple[np.ndarray, np.ndarray]:
    """Return the world points (N, 3) of other views that a view has matches for, and where it sees them (N, 2)."""
    source, target = obs.direction.T
    wanted = (target == view) & np.isin(source, others)
    count = np.diff(obs.direction_start)
    kept = np.repeat(wanted, count)
    of = np.repeat(source, count)[kept]
    size = np.exp(state.log_size[obs.run_view] + state.offset[obs.run_view, obs.run_lone])
    depth = (obs.depth * np.repeat(size, np.diff(obs.run_start)))[kept]
    focal = np.exp(state.log_focal[lenses.camera[of]])
    in_camera = np.concatenate([(obs.ray[:, kept] - state.shift[lenses.camera[of]].T) / focal, np.ones((1, len(of)))]).T * depth[:, None]
    points = np.einsum("nba,nb->na", state.R_cam_from_world[of], in_camera - state.t_cam_from_world[of])
    return np.ascontiguousarray(points), (obs.seen[:, kept] - state.shift[lenses.camera[view]][:, None]).T.copy()
