"""The damped least squares of the default aligner, from a start to the state of least cost (the default
aligner's design, chapter 2.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from align.bundle.intrinsics import Lenses
from align.bundle.model import BlockModel, Priors
from align.bundle.observations import Observations, in_pieces
from align.bundle.options import GaussNewton
from align.bundle.reprojection import BlockState
from align.initial.start import Start
from align.measurements.canonical import CanonicalView
from align.measurements.known_cameras import Known
from align.solver.least_squares import Descent, minimise
from masks.progress import Progress

_HELD_SIGMA = 1e-9
"""Of the depths that are known: next to it the matches have no say."""
_OBSERVATIONS_OF_A_START = 300
"""So many observations of a view outweigh its start."""


@dataclass(frozen=True, slots=True)
class Held:
    """What of V views stays as it is."""

    given: np.ndarray  # (V,) bool, poses that are known, if softly
    pose: np.ndarray  # (V,) bool
    size: np.ndarray  # (V,) bool
    offset: np.ndarray  # (V, B)
    """Log offsets of the blocks' depths to start from: of views whose depths are known they stay."""


@dataclass(frozen=True, slots=True)
class Refined:
    """Where the refinement ended and how."""

    state: BlockState
    model: BlockModel
    """At the last cut."""
    free: np.ndarray  # (N,) bool, shared unknowns that were not held
    descents: tuple[Descent, ...]


def held_of(
    obs: Observations, known: Known, options: GaussNewton, depths: Sequence[np.ndarray | None]
) -> Held:
    """Return what stays. `depths` are the log offsets (h, w) of views whose depths are known."""
    freeze = known.freeze_of(obs.num_views).numpy()
    given = np.array([view in known.cam_from_world for view in range(obs.num_views)])
    offset = np.zeros(obs.block.shape)
    for view, known_offset in enumerate(depths):
        if known_offset is not None:
            used = obs.block[view] >= 0
            offset[view, used] = known_offset.ravel()[obs.block[view, used]]
    size = np.array([depth is not None for depth in depths])
    return Held(given, given & (options.freeze_given | (freeze > 0)), size, offset)


def known_depths(
    views: Sequence[CanonicalView], known: Known
) -> tuple[list[float | None], list[np.ndarray | None]]:
    """Return what brings canonical depths of wholly frozen views to the known ones: log of the middle ratio,
    and how each anchor (h, w) differs.
    """
    sizes: list[float | None] = [None] * len(views)
    offsets: list[np.ndarray | None] = [None] * len(views)
    for view, depth in known.anchor_depth.items():
        if known.freeze.get(view, 0) < 1:
            continue
        ratio = np.log(depth.numpy() / views[view].anchor_depth.numpy())
        if np.isfinite(ratio).any():
            middle = float(np.nanmedian(ratio))
            sizes[view], offsets[view] = middle, np.where(np.isfinite(ratio), ratio - middle, 0)
    return sizes, offsets


def refine(
    obs: Observations, lenses: Lenses, start: Start, held: Held, options: GaussNewton, progress: Progress
) -> Refined:
    """Return the state of least cost from the start, ever narrower robust functions one after the other."""
    model = BlockModel(
        obs, in_pieces(obs), lenses, _priors(obs, lenses, start, held, options), options.cuts_px[0]
    )
    state = BlockState(
        start.R_cam_from_world,
        start.t_cam_from_world,
        start.log_size,
        lenses.log_focal,
        np.zeros((len(lenses.held), 2)),
        held.offset,
    )
    free = _free(lenses, start, held)
    descents: list[Descent] = []
    damping = options.early.first_damping
    for k, cut in enumerate(options.cuts_px):
        control = options.last if k == len(options.cuts_px) - 1 else options.early
        model = replace(model, cut=cut)
        state, descent = minimise(model, state, free, replace(control, first_damping=damping))
        damping = descent.damping
        descents.append(descent)
        progress("aligning", k + 1, len(options.cuts_px))
    return Refined(state, model, free, tuple(descents))


def _priors(obs: Observations, lenses: Lenses, start: Start, held: Held, options: GaussNewton) -> Priors:
    """Return what is believed about the unknowns: much about given poses, little about averaged ones, ever
    less about views with many matches.

    Else the belief in the start, next to nothing for a view alone, would hold slow drifts of long rings.
    """
    count = np.bincount(obs.direction[:, 0], np.diff(obs.direction_start), obs.num_views)
    doubt = np.sqrt(1 + count / _OBSERVATIONS_OF_A_START)
    rotation = np.where(
        held.given, options.given_rotation_sigma_deg / np.sqrt(3), options.rotation_sigma_deg * doubt
    )
    return Priors(
        log_focal=lenses.log_focal,
        log_focal_sigma=options.frozen_log_focal_sigma if held.pose.all() else options.log_focal_sigma,
        shift_sigma=(options.principal_point_sigma or 0) * float(np.exp(lenses.log_focal.mean())),
        offset=held.offset,
        offset_sigma=np.where(held.size, _HELD_SIGMA, options.offset_sigma),
        R_cam_from_world=start.R_cam_from_world,
        t_cam_from_world=start.t_cam_from_world,
        log_size=start.log_size,
        log_size_sigma=options.log_size_sigma,
        rotation_sigma=np.deg2rad(rotation),
        place_sigma=np.where(held.given, options.given_place_sigma / np.sqrt(3), options.place_sigma * doubt),
    )


def _free(lenses: Lenses, start: Start, held: Held) -> np.ndarray:
    """Return which shared unknowns (N,) may move: not the root's pose and size, no held pose or size, no
    known focal.
    """
    free_pose, free_size = ~held.pose, ~held.size
    if start.root is not None:
        free_pose[start.root] = free_size[start.root] = False
    centre = np.repeat(~lenses.held, 2 if lenses.free_centre else 0)
    return np.concatenate([np.repeat(free_pose, 6), free_size, ~lenses.held, centre])
