"""The default aligner: averaged pair poses, then damped least squares with eliminated depths (the default aligner's design, chapter 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from align.least_squares import Control, Descent, minimise
from align.sparse.averaging import Start, averaged_start
from align.sparse.block_model import BlockModel, Priors
from align.sparse.block_residuals import BlockState
from align.sparse.canonical import CanonicalView
from align.sparse.consistency import check_consistency, consistency_notices
from align.sparse.edge_quality import Triangles, triangles_of
from align.sparse.gather import Gathered, principal_point
from align.sparse.given_start import given_start
from align.sparse.lenses import Lenses, lenses_of
from align.sparse.measured_pairs import MeasuredPairs, measure_pairs
from align.sparse.observations import Observations, in_pieces, observe
from align.sparse.parameters import Known
from align.sparse.uncertainty import uncertainty
from masks.notice import Notice, warning
from pairs.backend import Progress, silent


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
    """About the start, each axis: unseen where there are matches, it holds a view without."""
    place_sigma: float = 0.05
    """Of a camera about the start, each axis, in units of the object's distance."""
    log_size_sigma: float = 0.1
    """About the start: for the same views."""
    given_rotation_sigma_deg: float = 1.0
    """About given poses, over all axes."""
    given_place_sigma: float = 0.01
    """Of a given camera, over all axes, in units of the object's distance."""


@dataclass(frozen=True, slots=True)
class BlockSolution:
    """Cameras, and what brings every view's canonical depth to the world: depth = canonical depth x exp(log size + offset of its block)."""

    cam_from_world: np.ndarray  # (V, 4, 4)
    K: np.ndarray  # (V, 3, 3), pixels
    log_size: np.ndarray  # (V,)
    log_offset: tuple[np.ndarray, ...]  # (h, w) each, one an anchor's block; 0 where no match hangs on it
    notices: tuple[Notice, ...]
    figures: Mapping[str, Any]
    """Numbers for the report, ready for JSON."""


@dataclass(frozen=True, slots=True)
class Refined:
    """Where the refinement ended and how."""

    state: BlockState
    model: BlockModel
    """At the last cut."""
    free: np.ndarray  # (N,) bool, shared unknowns that were not held
    descents: tuple[Descent, ...]


def gauss_newton_align(gathered: Gathered, options: GaussNewton, known: Known | None = None, progress: Progress = silent) -> BlockSolution:
    """Return cameras and depths in which all pairs agree best.

    Of what is known, K is held; given poses (of all views) are the start and softly believed, frozen ones stay; anchor depths are not read.
    Without given poses the world is the camera of one view, and its unit the mean distance of the object.
    Raises `GraphError` when the pairs do not tie all views together.
    """
    known, views = known or Known(), gathered.predictions.views
    principal_points = torch.stack([principal_point(view, gathered.predictions, k) for k, view in enumerate(views)])
    middle = middle_depths(gathered.views)
    pairs = measure_pairs(gathered, middle, principal_points)
    triangles = triangles_of(pairs, len(views))
    start, unit = _start(pairs, triangles, len(views), known)
    lenses, notices = lenses_of(gathered.views, views, principal_points, known)
    rejected = {(int(a), int(b)) for a, b in pairs.pair[start.rejected]}
    kept = [record for record in gathered.records if (record.a, record.b) not in rejected]
    obs = observe(gathered.views, middle, kept, lenses)
    refined = refine(obs, lenses, start, known.freeze_of(len(views)).numpy() > 0, options, progress)
    consistency = check_consistency(obs, lenses, refined.state, pairs, start, triangles)
    notices += _broken_off(refined) + consistency_notices(consistency, pairs, start, [view.name for view in views])
    return BlockSolution(
        cam_from_world=_poses(refined.state, unit),
        K=lenses.K(refined.state.log_focal),
        log_size=refined.state.log_size + np.log(unit / middle),
        log_offset=tuple(_offsets(*view) for view in zip(gathered.views, obs.block, refined.state.offset)),
        notices=notices,
        figures=_figures(refined, unit) | consistency.figures(),
    )


def _start(pairs: MeasuredPairs, triangles: Triangles, num_views: int, known: Known) -> tuple[Start, float]:
    """Return the start and its unit in the world: 1 without given poses."""
    if known.cam_from_world is None:
        return averaged_start(pairs, triangles, num_views), 1.0
    return given_start(pairs, triangles, known.cam_from_world.double().numpy())


def middle_depths(views: Sequence[CanonicalView]) -> np.ndarray:
    """Return the median canonical depth (V,) of every view's object: the unit in which its points are measured."""
    return np.array([float(view.depth[view.valid].median()) for view in views])


def refine(obs: Observations, lenses: Lenses, start: Start, frozen: np.ndarray, options: GaussNewton, progress: Progress) -> Refined:
    """Return the state of least cost from the start, ever narrower robust functions one after the other. Poses of `frozen` (V,) views stay."""
    model = BlockModel(obs, in_pieces(obs), lenses, _priors(lenses, start, frozen, options), options.cuts_px[0])
    state = BlockState(start.R_cam_from_world, start.t_cam_from_world, start.log_size, lenses.log_focal, np.zeros(obs.block.shape))
    free = _free(lenses, start, frozen)
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


def _priors(lenses: Lenses, start: Start, frozen: np.ndarray, options: GaussNewton) -> Priors:
    """Return what is believed about the unknowns: much about given poses, little about averaged ones."""
    given = start.root is None
    rotation = options.given_rotation_sigma_deg / np.sqrt(3) if given else options.rotation_sigma_deg
    return Priors(
        log_focal=lenses.log_focal,
        log_focal_sigma=options.frozen_log_focal_sigma if frozen.all() else options.log_focal_sigma,
        offset_sigma=options.offset_sigma,
        R_cam_from_world=start.R_cam_from_world,
        t_cam_from_world=start.t_cam_from_world,
        log_size=start.log_size,
        log_size_sigma=options.log_size_sigma,
        rotation_sigma=float(np.deg2rad(rotation)),
        place_sigma=float(options.given_place_sigma / np.sqrt(3) if given else options.place_sigma),
    )


def _free(lenses: Lenses, start: Start, frozen: np.ndarray) -> np.ndarray:
    """Return which shared unknowns (N,) may move: not the root's pose and size, no frozen pose, no known focal."""
    free_pose, free_size = ~frozen, np.ones(len(frozen), bool)
    if start.root is not None:
        free_pose[start.root] = free_size[start.root] = False
    return np.concatenate([np.repeat(free_pose, 6), free_size, ~lenses.held])


def _poses(state: BlockState, unit: float) -> np.ndarray:
    """Return cam_from_world (V, 4, 4) in the world's unit."""
    poses = np.tile(np.eye(4), (len(state.log_size), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = state.R_cam_from_world, unit * state.t_cam_from_world
    return poses


def _offsets(view: CanonicalView, block: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return a view's offsets (h, w), one an anchor, from those of the blocks (B,) that hold an observation."""
    grid = np.zeros(view.anchor_depth.numel())
    grid[block[block >= 0]] = offset[block >= 0]
    return grid.reshape(view.anchor_depth.shape)


def _broken_off(refined: Refined) -> tuple[Notice, ...]:
    """Return a warning when the refinement could not go to its end."""
    stopped = refined.descents[-1].stopped
    if stopped in ("small gain", "all steps used"):
        return ()
    return (warning("alignment", f"the refinement broke off ({stopped}): the best state before is kept. Look at the predictions."),)


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
        "sigma camera centre": _finite(unit * sigmas.place),
        "sigma focal share": _finite(sigmas.log_focal),
    }


def _finite(values: Iterable[float]) -> list[float | None]:
    """Return numbers as JSON knows them: none for what is not finite."""
    return [float(value) if np.isfinite(value) else None for value in values]
