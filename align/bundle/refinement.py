"""The damped least squares of the default aligner, from a start to the state of least cost (the default aligner's design, chapter 2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from align.bundle.intrinsics import Lenses
from align.bundle.model import BlockModel, Priors, prior_residuals
from align.bundle.observations import Observations, in_pieces
from align.bundle.reprojection import BlockState
from align.initial.motion_averaging import Start
from align.measurements.canonical import CanonicalView
from align.solver.least_squares import Control, Descent, minimise
from align.sparse.start import Known
from pairs.backends.protocol import Progress

_HELD_SIGMA = 1e-9
"""Of the depths that are known: next to it the matches have no say."""
_OBSERVATIONS_OF_A_START = 300
"""So many observations of a view outweigh its start."""
STRAYED_SIGMAS = 3.0
"""Starts of solved scenes are off by less than two."""
_UNUSUAL = 2.0
"""A wrong pose draws the right ones after it, which must not be blamed."""


@dataclass(frozen=True, slots=True)
class GaussNewton:
    """Options of the default aligner."""

    cuts_px: tuple[float, ...] = (8.0, 4.0, 2.0, 1.0)
    """Errors at which a match's weight has fallen to a half, one after the other."""
    early: Control = field(default_factory=lambda: Control(max_steps=3, least_gain=0.03))
    """At all cuts but the last."""
    last: Control = field(default_factory=Control)
    offset_sigma: float = 0.02
    """Of a block's log depth about the canonical one."""
    log_focal_sigma: float = 0.005
    """About the pointmaps' own focals: matches alone draw the focal down."""
    frozen_log_focal_sigma: float = 0.001
    """The same where all poses are frozen: small errors of theirs would end in the focal."""
    rotation_sigma_deg: float = 3.0
    """About the start, each axis, of a view without matches: unseen where there are some, it holds a view without."""
    place_sigma: float = 0.05
    """Of a camera about the start, each axis, in units of the object's distance."""
    log_size_sigma: float = 0.1
    """About the start: for the same views."""
    principal_point_sigma: float | None = None
    """Of free principal points about the stated ones, else the pictures' middle, as a share of the focal; none: they stay, as an object in the
    middle of its pictures demands, since a shift of them is nearly a turn of the camera."""
    freeze_given: bool = False
    """Given poses stay as they are; else they are believed as far as the next two say."""
    given_rotation_sigma_deg: float = 1.0
    """About given poses, over all axes."""
    given_place_sigma: float = 0.01
    """Of a given camera, over all axes, in units of the object's distance."""


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


def held_of(obs: Observations, known: Known, options: GaussNewton, depths: Sequence[np.ndarray | None]) -> Held:
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


def known_depths(views: Sequence[CanonicalView], known: Known) -> tuple[list[float | None], list[np.ndarray | None]]:
    """Return what brings canonical depths of wholly frozen views to the known ones: log of the middle ratio, and how each anchor (h, w) differs."""
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


def refine(obs: Observations, lenses: Lenses, start: Start, held: Held, options: GaussNewton, progress: Progress) -> Refined:
    """Return the state of least cost from the start, ever narrower robust functions one after the other."""
    model = BlockModel(obs, in_pieces(obs), lenses, _priors(obs, lenses, start, held, options), options.cuts_px[0])
    state = BlockState(start.R_cam_from_world, start.t_cam_from_world, start.log_size, lenses.log_focal, np.zeros((len(lenses.held), 2)), held.offset)
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


def strayed(refined: Refined) -> np.ndarray:
    """Return by how many standard deviations each view (V,) went from its start: belief in it may now pull the view off its matches."""
    shared, _ = prior_residuals(refined.model, refined.state)
    return np.abs(shared[: 6 * len(refined.state.log_size)].reshape(-1, 6)).max(1)


def contradicted_poses(stray: np.ndarray, held: Held) -> np.ndarray:
    """Return which views (V,) bool strayed from given poses that may move, and farther than given poses usually do."""
    movable = held.given & ~held.pose
    usual = np.median(stray[movable]) if movable.any() else 0.0
    return movable & (stray > max(STRAYED_SIGMAS, _UNUSUAL * usual))


def _priors(obs: Observations, lenses: Lenses, start: Start, held: Held, options: GaussNewton) -> Priors:
    """Return what is believed about the unknowns: much about given poses, little about averaged ones, ever less about views with many matches.

    Else the belief in the start, next to nothing for a view alone, would hold slow drifts of long rings.
    """
    count = np.bincount(obs.direction[:, 0], np.diff(obs.direction_start), obs.num_views)
    doubt = np.sqrt(1 + count / _OBSERVATIONS_OF_A_START)
    rotation = np.where(held.given, options.given_rotation_sigma_deg / np.sqrt(3), options.rotation_sigma_deg * doubt)
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
    """Return which shared unknowns (N,) may move: not the root's pose and size, no held pose or size, no known focal."""
    free_pose, free_size = ~held.pose, ~held.size
    if start.root is not None:
        free_pose[start.root] = free_size[start.root] = False
    centre = np.repeat(~lenses.held, 2 if lenses.free_centre else 0)
    return np.concatenate([np.repeat(free_pose, 6), free_size, ~lenses.held, centre])
