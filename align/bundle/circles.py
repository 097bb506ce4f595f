"""Circles as a constraint: poses that stand on a turntable's circle but for their noise are held on it
(docs/turntables.md, "Predictions of networks").

How far poses are off a circle does not tell whether they stand on one: a nudged object leaves as much as the
noise of a network does. The matches tell: on a true circle their cost hardly rises, beside it it leaps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from align.bundle.consistency import Consistency
from align.bundle.options import BundleOptions
from align.bundle.problem import BundleProblem
from align.bundle.refinement import Fixed, Refined, refine
from align.bundle.reprojection import BundleState
from align.measurements.known_cameras import Known
from masks.notice import Notice, info
from masks.progress import silent
from pairs.rings.ring import CircularMotion, Grade, fit_circular_motion
from pairs.rings.steps import even_azimuths

_LEAST_VIEWS = 8
"""Of a circle that holds poses: nothing was measured with fewer."""
_MOST_RISE = 0.025
"""Of the cost, as a share. Simulated turntables that are exact rise by 0.004 to 0.028, those nudged by 0.1
degrees and 0.1 % of the distance at each photo by 0.04 to 0.2, by 0.03 to 0.04 under twice the usual noise,
where holding them does no harm."""
_MOST_RISE_OF_STEPS = 0.004
"""Of the cost on the circle. Exact steps rise by 0.001 to 0.004, those uneven by 0.1 degrees by 0.004 to
0.008."""


def held_on_circles(
    refined: Refined,
    consistency: Consistency,
    problem: BundleProblem,
    fixed: Fixed,
    known: Known,
    options: BundleOptions,
) -> tuple[Refined, Consistency, tuple[Notice, ...]]:
    """Return the result with the views of exact circles held on them, how far it agrees, and a notice; the
    same result where nothing stands on a circle, matches speak against it, or poses are known better than
    a network estimates them.

    Equal steps are tried where the circle holds.
    """
    unchanged = refined, consistency, ()
    # A backend that has fitted its poses to matches has fitted K with them.
    estimated = known.poses_from_backend and not known.K and not fixed.pose.any()
    if options.turntable == "off" or (known.cam_from_world and not estimated):
        return unchanged
    poses = _poses(refined.state)
    motion = fit_circular_motion(poses)
    large = tuple(ring for ring in motion.rings if len(ring.views) >= _LEAST_VIEWS)
    if motion.grade is not Grade.EXACT or not large:
        return unchanged
    motion = replace(motion, rings=large)
    held = np.zeros(len(poses), bool)
    held[np.concatenate([ring.views for ring in large])] = True
    still = replace(fixed, known=held, pose=held)
    found, words, most_rise = refined, "", _MOST_RISE
    for tried, told in _candidates(poses, motion):
        start = replace(
            problem.start,
            R_cam_from_world=tried[:, :3, :3],
            t_cam_from_world=tried[:, :3, 3],
            log_scale=refined.state.log_scale,
            root=None,  # the circle holds world and unit
        )
        closer = refine(problem.obs, problem.intrinsics, start, still, options, silent)
        if not _cost(closer) <= (1 + most_rise) * _cost(found):
            break
        found, words, most_rise = closer, told, _MOST_RISE_OF_STEPS
    if found is refined:
        return unchanged
    return found, problem.check(found), (info("turntable", _said(motion, held, words)),)


def _cost(refined: Refined) -> float:
    return refined.descents[-1].costs[-1]


def _candidates(poses: np.ndarray, motion: CircularMotion) -> Iterator[tuple[np.ndarray, str]]:
    """Yield the poses (V, 4, 4) on the circles, then in equal steps where there are any, and their name."""
    files = np.arange(len(poses))
    even = [even_azimuths(ring, files) for ring in motion.rings]
    for azimuths, words in (([ring.azimuth for ring in motion.rings], ""), (even, ", in equal steps")):
        if any(azimuth is None for azimuth in azimuths):
            return
        placed = poses.copy()
        for ring, azimuth in zip(motion.rings, azimuths):
            placed[ring.views] = ring.cam_from_world(azimuth)
        yield placed, words


def _poses(state: BundleState) -> np.ndarray:
    poses = np.tile(np.eye(4), (len(state.log_scale), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = state.R_cam_from_world, state.t_cam_from_world
    return poses


def _said(motion: CircularMotion, held: np.ndarray, words: str) -> str:
    turn = np.median(np.concatenate([ring.rotation_residual for ring in motion.rings]))
    circle = "the circle" if len(motion.rings) == 1 else "the circles"
    return (
        f"{held.sum()} of {len(held)} views were {np.rad2deg(turn):.2f} degrees off {circle} of a turntable "
        f"in the median, no more than their matches are unsure; they are held on it{words}."
    )
