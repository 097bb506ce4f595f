"""The default aligner: averaged pair poses, then damped least squares with eliminated depths
(docs/bundle_alignment.md, "Bundle alignment").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from align.aligned import Aligned
from align.bundle.block_depth import block_depth
from align.bundle.circles import held_on_circles
from align.bundle.consistency import Consistency, consistency_notices
from align.bundle.intrinsics import SharedIntrinsics
from align.bundle.options import BundleOptions
from align.bundle.problem import bundle_problem
from align.bundle.refinement import Fixed, Refined, known_depths, refine, what_is_fixed
from align.bundle.reinitialisation import refined_again
from align.bundle.reprojection import BundleState
from align.bundle.uncertainty import uncertainty
from align.depth_maps.dense_view import DenseView
from align.measurements.canonical import CanonicalView
from align.measurements.gathered import Measurements
from align.measurements.known_cameras import Known
from align.pinhole import backproject
from masks.notice import Notice, warning
from masks.progress import Progress, silent
from pairs.views.cameras import Cameras

_FIXED_POSES_SHARE = 0.5
"""Of the matches, within 2 px: true poses leave more, poses a degree off less
(docs/bundle_alignment.md, "Known poses and fixed poses")."""


@dataclass(frozen=True, slots=True)
class BundleSolution:
    """Cameras, and what brings every view's canonical depth to the world: depth = canonical depth x exp(log
    scale + offset of its block).
    """

    cam_from_world: np.ndarray  # (V, 4, 4)
    K: np.ndarray  # (V, 3, 3), pixels
    log_scale: np.ndarray  # (V,)
    log_offset: tuple[np.ndarray, ...]  # (h, w) each, one an anchor's block; NaN where no match hangs on it
    notices: tuple[Notice, ...]
    figures: Mapping[str, Any]
    """Numbers for the report, ready for JSON."""


def bundle_adjust(
    measurements: Measurements,
    options: BundleOptions,
    known: Known | None = None,
    progress: Progress = silent,
) -> BundleSolution:
    """Return cameras and depths in which all pairs agree best.

    Known intrinsics are fixed; known poses set the world, and are softly believed or fixed; the depths of
    wholly fixed views are, too. Without known poses the world is the camera of one view, and its unit the
    mean distance of the object. Raises `GraphError` when the pairs do not tie all views together.
    """
    known, names = known or Known(), [view.name for view in measurements.predictions.views]
    median = median_depths(measurements.views)
    log_scales, offsets = known_depths(measurements.views, known)
    log_distance = {
        view: scale + float(np.log(median[view]))
        for view, scale in enumerate(log_scales)
        if scale is not None
    }
    progress("starting poses", 0, 1)
    problem, unit, notices = bundle_problem(measurements, median, known, options, log_distance)
    fixed = what_is_fixed(problem.obs, known, options, offsets)
    refined = refine(problem.obs, problem.intrinsics, problem.start, fixed, options, progress)
    refined, consistency, reinitialised = refined_again(
        refined, problem, fixed, options, names, known.poses_from_backend
    )
    refined, consistency, held = held_on_circles(refined, consistency, problem, fixed, known, options)
    notices += (
        reinitialised
        + held
        + _stopped_early(refined)
        + _doubt_of_fixed_poses(consistency, fixed)
        + consistency_notices(consistency, problem.pairs, problem.start, names)
    )
    return BundleSolution(
        cam_from_world=_poses(
            refined.state,
            unit,
            {view: pose for view, pose in known.cam_from_world.items() if fixed.pose[view]},
        ),
        K=_intrinsics(problem.intrinsics, refined.state, known.K),
        log_scale=refined.state.log_scale + np.log(unit / median),
        log_offset=tuple(
            _offsets(*view) for view in zip(measurements.views, problem.obs.block, refined.state.offset)
        ),
        notices=notices,
        figures=_figures(refined, unit) | consistency.figures(),
    )


def median_depths(views: Sequence[CanonicalView]) -> np.ndarray:
    """Return the median canonical depth (V,) of every view's object: the unit in which its points are
    measured.
    """
    return np.array([float(view.depth[view.valid].median()) for view in views])


def _poses(state: BundleState, unit: float, fixed: Mapping[int, torch.Tensor]) -> np.ndarray:
    """Return cam_from_world (V, 4, 4) in the world's unit; those that are fixed to the bit."""
    poses = np.tile(np.eye(4), (len(state.log_scale), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = state.R_cam_from_world, unit * state.t_cam_from_world
    for view, pose in fixed.items():
        poses[view] = pose.numpy()
    return poses


def _intrinsics(
    intrinsics: SharedIntrinsics, state: BundleState, known: Mapping[int, torch.Tensor]
) -> np.ndarray:
    """Return K (V, 3, 3); known ones to the bit, which the logarithm of their focal would lose."""
    K = intrinsics.K(state.log_focal, state.principal_point_offset)
    for view, known_K in known.items():
        K[view] = known_K.numpy()
    return K


def _offsets(view: CanonicalView, block: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return a view's offsets (h, w), one an anchor, from those of the blocks (B,) that hold an
    observation.
    """
    grid = np.full(view.anchor_depth.numel(), np.nan)
    grid[block[block >= 0]] = offset[block >= 0]
    return grid.reshape(view.anchor_depth.shape)


def _stopped_early(refined: Refined) -> tuple[Notice, ...]:
    """Return a warning when the refinement could not go to its end."""
    stopped = refined.descents[-1].stopped
    if stopped in ("small gain", "all steps used"):
        return ()
    return (
        warning(
            "alignment",
            f"the refinement broke off ({stopped}): the best state before is kept. Look at the predictions.",
        ),
    )


def _doubt_of_fixed_poses(consistency: Consistency, fixed: Fixed) -> tuple[Notice, ...]:
    """Return a warning when fixed poses hardly fit the matches: errors of a degree then end in depths."""
    if not fixed.pose.any() or not consistency.agreement.near_share < _FIXED_POSES_SHARE:
        return ()
    share = f"{100 * consistency.agreement.near_share:.0f} %"
    return (
        warning(
            "poses",
            (
                f"with the frozen ones only {share} of the matches agree within 2 px: they may be off. "
                "Believe them softly, or check them."
            ),
        ),
    )


def _figures(refined: Refined, unit: float) -> dict[str, Any]:
    """Return numbers about the descent and the standard deviations of its result."""
    sigmas = uncertainty(refined.model, refined.state, refined.free)
    return {
        "steps": sum(len(descent.costs) - 1 for descent in refined.descents),
        "costs": [_finite(descent.costs) for descent in refined.descents],
        "stopped": refined.descents[-1].stopped,
        "observations": len(refined.model.obs.depth),
        "blocks": int((refined.model.obs.block >= 0).sum()),
        "sigma rotation deg": _finite(np.rad2deg(sigmas.rotation_rad)),
        "sigma camera centre": _finite(unit * sigmas.centre),
        "sigma focal share": _finite(sigmas.log_focal),
    }


def _finite(values: Iterable[float]) -> list[float | None]:
    """Return numbers as JSON knows them: none for what is not finite."""
    return [float(value) if np.isfinite(value) else None for value in values]


def bundle_align(
    measurements: Measurements, options: BundleOptions, known: Known, progress: Progress
) -> Aligned:
    """Return the cameras of a bundle adjustment, with the depth of every view at the scale that it found."""
    solution = bundle_adjust(measurements, options, known, progress)
    cameras = Cameras(solution.K, solution.cam_from_world)
    dense = []
    for k, view in enumerate(measurements.views):
        depth = block_depth(view, solution.log_scale[k], solution.log_offset[k])
        points = backproject(
            depth, torch.from_numpy(cameras.K[k]), torch.from_numpy(cameras.world_from_cam[k])
        )
        dense.append(DenseView(points, depth, view.conf))
        progress("depth maps", k + 1, len(measurements.views))
    return Aligned(cameras, tuple(dense), solution.notices, solution.figures)
