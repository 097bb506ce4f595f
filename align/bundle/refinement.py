"""The damped least squares of the default aligner, from a start to the state of least cost
(docs/bundle_alignment.md, "Damping and schedule").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from align.bundle.intrinsics import SharedIntrinsics
from align.bundle.model import BundleModel, BundlePriors
from align.bundle.observations import Observations, in_pieces
from align.bundle.options import BundleOptions
from align.bundle.reprojection import BundleState
from align.initial.start import Start
from align.measurements.canonical import CanonicalView
from align.measurements.known_cameras import Known
from align.solver.least_squares import Summary, levenberg_marquardt
from masks.progress import Progress

_FIXED_SIGMA = 1e-9
"""Of the depths that are known: next to it the matches have no say."""
_OBSERVATIONS_OF_A_START = 300
"""So many observations of a view outweigh its start."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """What of V views stays as it is."""

    known: np.ndarray  # (V,) bool, poses that are known, if softly
    pose: np.ndarray  # (V,) bool
    scale: np.ndarray  # (V,) bool
    offset: np.ndarray  # (V, B)
    """Log offsets of the blocks' depths to start from: of views whose depths are known they stay."""


@dataclass(frozen=True, slots=True)
class Refined:
    """Where the refinement ended and how."""

    state: BundleState
    model: BundleModel
    """At the last cut."""
    free: np.ndarray  # (N,) bool, shared unknowns that were not fixed
    descents: tuple[Summary, ...]


def what_is_fixed(
    obs: Observations, known: Known, options: BundleOptions, depths: Sequence[np.ndarray | None]
) -> Fixed:
    """Return what stays. `depths` are the log offsets (h, w) of views whose depths are known."""
    freeze = known.fixed_levels(obs.num_views).numpy()
    known_pose = np.array([view in known.cam_from_world for view in range(obs.num_views)])
    offset = np.zeros(obs.block.shape)
    for view, known_offset in enumerate(depths):
        if known_offset is not None:
            used = obs.block[view] >= 0
            offset[view, used] = known_offset.ravel()[obs.block[view, used]]
    scale = np.array([depth is not None for depth in depths])
    return Fixed(known_pose, known_pose & (options.pose_prior.fixed | (freeze > 0)), scale, offset)


def known_depths(
    views: Sequence[CanonicalView], known: Known
) -> tuple[list[float | None], list[np.ndarray | None]]:
    """Return what brings canonical depths of wholly fixed views to the known ones: log of the median ratio,
    and how each anchor (h, w) differs.
    """
    log_scales: list[float | None] = [None] * len(views)
    offsets: list[np.ndarray | None] = [None] * len(views)
    for view, depth in known.anchor_depth.items():
        if known.fixed.get(view, 0) < 1:
            continue
        ratio = np.log(depth.numpy() / views[view].anchor_depth.numpy())
        if np.isfinite(ratio).any():
            median = float(np.nanmedian(ratio))
            log_scales[view], offsets[view] = median, np.where(np.isfinite(ratio), ratio - median, 0)
    return log_scales, offsets


def refine(
    obs: Observations,
    intrinsics: SharedIntrinsics,
    start: Start,
    fixed: Fixed,
    options: BundleOptions,
    progress: Progress,
) -> Refined:
    """Return the state of least cost from the start, ever narrower robust functions one after the other."""
    model = BundleModel(
        obs,
        in_pieces(obs),
        intrinsics,
        _priors(obs, intrinsics, start, fixed, options),
        options.kernel_widths_px[0],
    )
    state = BundleState(
        start.R_cam_from_world,
        start.t_cam_from_world,
        start.log_scale,
        intrinsics.log_focal,
        np.zeros((len(intrinsics.fixed), 2)),
        fixed.offset,
    )
    free = _free(intrinsics, start, fixed)
    descents: list[Summary] = []
    damping = options.early.initial_damping
    progress("aligning", 0, len(options.kernel_widths_px))
    for k, kernel_width in enumerate(options.kernel_widths_px):
        solver_options = options.last if k == len(options.kernel_widths_px) - 1 else options.early
        model = replace(model, kernel_width=kernel_width)
        state, descent = levenberg_marquardt(
            model, state, free, replace(solver_options, initial_damping=damping)
        )
        damping = descent.damping
        descents.append(descent)
        progress("aligning", k + 1, len(options.kernel_widths_px))
    return Refined(state, model, free, tuple(descents))


def _priors(
    obs: Observations, intrinsics: SharedIntrinsics, start: Start, fixed: Fixed, options: BundleOptions
) -> BundlePriors:
    """Return what is believed about the unknowns: much about known poses, little about averaged ones, ever
    less about views with many matches.

    A fixed prior, next to nothing for one view, would add up along long rings and stop slow drift from being
    corrected.
    """
    count = np.bincount(obs.direction[:, 0], np.diff(obs.direction_start), obs.num_views)
    doubt = np.sqrt(1 + count / _OBSERVATIONS_OF_A_START)
    rotation = np.where(
        fixed.known, options.pose_prior.rotation_sigma_deg / np.sqrt(3), options.rotation_sigma_deg * doubt
    )
    return BundlePriors(
        log_focal=intrinsics.log_focal,
        log_focal_sigma=options.fixed_poses_log_focal_sigma if fixed.pose.all() else options.log_focal_sigma,
        principal_point_sigma=(options.principal_point_sigma or 0)
        * float(np.exp(intrinsics.log_focal.mean())),
        offset=fixed.offset,
        offset_sigma=np.where(fixed.scale, _FIXED_SIGMA, options.offset_sigma),
        R_cam_from_world=start.R_cam_from_world,
        t_cam_from_world=start.t_cam_from_world,
        log_scale=start.log_scale,
        log_scale_sigma=options.log_scale_sigma,
        rotation_sigma=np.deg2rad(rotation),
        centre_sigma=np.where(
            fixed.known, options.pose_prior.centre_sigma / np.sqrt(3), options.centre_sigma * doubt
        ),
    )


def _free(intrinsics: SharedIntrinsics, start: Start, fixed: Fixed) -> np.ndarray:
    """Return which shared unknowns (N,) may move: not the root's pose and scale, no fixed pose or scale, no
    known focal.
    """
    free_pose, free_scale = ~fixed.pose, ~fixed.scale
    if start.root is not None:
        free_pose[start.root] = free_scale[start.root] = False
    centre = np.repeat(~intrinsics.fixed, 2 if intrinsics.free_principal_point else 0)
    return np.concatenate([np.repeat(free_pose, 6), free_scale, ~intrinsics.fixed, centre])
