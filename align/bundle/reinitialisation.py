"""Re-initialisation: a second descent for views that the pairs have put in a wrong place, each started from
the
points of the others that it sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from align.bundle.consistency import Consistency
from align.bundle.intrinsics import SharedIntrinsics
from align.bundle.model import prior_residuals
from align.bundle.observations import Observations
from align.bundle.options import BundleOptions
from align.bundle.problem import BundleProblem
from align.bundle.refinement import Fixed, Refined, refine
from align.bundle.reprojection import BundleState
from align.initial.resection import resect
from align.initial.start import Start
from masks.notice import Notice, info, warning
from masks.progress import silent

DEVIATION_SIGMAS = 3.0
"""Deviation from its prior from which a view counts as badly started: in solved scenes it is below two."""
_UNUSUAL = 2.0
"""Times the median deviation of views with known poses. A wrong pose draws the right ones after it, which
must not be blamed."""


def reinitialised_start(
    start: Start, views: Sequence[int], obs: Observations, intrinsics: SharedIntrinsics, state: BundleState
) -> Start:
    """Return a start in which all views stand as in the state, but each of `views` where the points of the
    views beside these are seen best.

    A view that too few of those points are seen in stays where it is. The root stays the one that the world
    hangs on.
    """
    R, t = state.R_cam_from_world.copy(), state.t_cam_from_world.copy()
    for view in views:
        points, pixels = _seen_points(
            view, np.setdiff1d(np.arange(obs.num_views), views), obs, intrinsics, state
        )
        pose = resect(points, pixels, float(np.exp(state.log_focal[intrinsics.camera[view]])))
        if pose is not None:
            R[view], t[view] = pose
    if start.root is not None and start.root in views:
        R, t = _hung_on(start, start.root, R, t)
    return replace(start, R_cam_from_world=R, t_cam_from_world=t, log_scale=state.log_scale)


def _hung_on(start: Start, root: int, R: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return poses (V, 3, 3), (V, 3) in the world in which the root stands as at the start."""
    turned = R @ R[root].T
    R, t = turned @ start.R_cam_from_world[root], t + turned @ (start.t_cam_from_world[root] - t[root])
    R[root], t[root] = start.R_cam_from_world[root], start.t_cam_from_world[root]
    return R, t


def _seen_points(
    view: int, others: np.ndarray, obs: Observations, intrinsics: SharedIntrinsics, state: BundleState
) -> tuple[np.ndarray, np.ndarray]:
    """Return the world points (N, 3) of other views that a view has matches for, and where it sees them (N,
    2).
    """
    source, target = obs.direction.T
    wanted = (target == view) & np.isin(source, others)
    count = np.diff(obs.direction_start)
    kept = np.repeat(wanted, count)
    of = np.repeat(source, count)[kept]
    size = np.exp(state.log_scale[obs.run_view] + state.offset[obs.run_view, obs.run_block])
    depth = (obs.depth * np.repeat(size, np.diff(obs.run_start)))[kept]
    focal = np.exp(state.log_focal[intrinsics.camera[of]])
    in_camera = (
        np.concatenate(
            [
                (obs.ray[:, kept] - state.principal_point_offset[intrinsics.camera[of]].T) / focal,
                np.ones((1, len(of))),
            ]
        ).T
        * depth[:, None]
    )
    points = np.einsum("nba,nb->na", state.R_cam_from_world[of], in_camera - state.t_cam_from_world[of])
    return np.ascontiguousarray(points), (
        obs.seen[:, kept] - state.principal_point_offset[intrinsics.camera[view]][:, None]
    ).T.copy()


def prior_deviation(refined: Refined) -> np.ndarray:
    """Return by how many standard deviations each view (V,) went from its start: belief in it may now pull
    the view off its matches.
    """
    shared, _ = prior_residuals(refined.model, refined.state)
    return np.abs(shared[: 6 * len(refined.state.log_scale)].reshape(-1, 6)).max(1)


def contradicted_poses(deviation: np.ndarray, fixed: Fixed) -> np.ndarray:
    """Return which views (V,) bool deviate from known poses that may move, and farther than known poses
    usually do.
    """
    movable = fixed.known & ~fixed.pose
    usual = np.median(deviation[movable]) if movable.any() else 0.0
    return movable & (deviation > max(DEVIATION_SIGMAS, _UNUSUAL * usual))


def refined_again(
    refined: Refined,
    problem: BundleProblem,
    fixed: Fixed,
    options: BundleOptions,
    names: Sequence[str],
    poses_from_backend: bool = False,
) -> tuple[Refined, Consistency, tuple[Notice, ...]]:
    """Return the result and how far it agrees, after a second descent where the first began in wrong places.

    Views in a wrong place, or in one that contradicts their known pose, are placed anew, and such a pose is
    believed no more. Other known poses are believed as before; the priors of the other views are centred
    where the first descent ended.
    """
    consistency, deviation = problem.check(refined), prior_deviation(refined)
    wrong = contradicted_poses(deviation, fixed)
    wrong[consistency.agreement.misplaced] = True
    misplaced = [int(view) for view in np.flatnonzero(wrong & ~fixed.pose)]
    if not misplaced and not (deviation[~fixed.known] > DEVIATION_SIGMAS).any():
        return refined, consistency, ()
    believed = replace(fixed, known=fixed.known & (~wrong | fixed.pose))
    start = reinitialised_start(problem.start, misplaced, problem.obs, problem.intrinsics, refined.state)
    # A prior is centred on its start: known poses keep theirs, or the second descent would believe what the
    # first one made of them.
    start = _with_poses_of(problem.start, start, believed.known)
    second = refine(problem.obs, problem.intrinsics, start, believed, options, silent)
    again = problem.check(second)
    # Not <: a share that is not a number keeps the first result.
    if not again.agreement.near_share >= consistency.agreement.near_share:
        return refined, consistency, ()
    cured = sorted(set(misplaced) - set(again.agreement.misplaced))
    put_by = "backend" if poses_from_backend else "user"
    notices = tuple(
        _placed_anew(names[view], put_by if fixed.known[view] and view != start.root else "pairs")
        for view in cured
    )
    return second, again, notices


def _with_poses_of(before: Start, start: Start, views: np.ndarray) -> Start:
    """Return a start with the poses of another one for some views (V,) bool."""
    R = np.where(views[:, None, None], before.R_cam_from_world, start.R_cam_from_world)
    return replace(
        start,
        R_cam_from_world=R,
        t_cam_from_world=np.where(views[:, None], before.t_cam_from_world, start.t_cam_from_world),
    )


def _placed_anew(name: str, put_by: Literal["user", "backend", "pairs"]) -> Notice:
    placed = "it was placed anew where it sees the points of the others."
    if put_by == "user":
        return warning(name, f"its given pose contradicts its matches; {placed} Check the pose.")
    if put_by == "backend":
        return warning(name, f"the backend's pose contradicts its matches; {placed} Check it in the result.")
    return info(name, f"the pairs had put it in a wrong place; {placed}")
