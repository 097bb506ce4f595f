"""The default aligner: averaged pair poses, then damped least squares with eliminated depths (the default aligner's design, chapter 2)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from align.least_squares import Control, Descent, minimise
from align.sparse.averaging import Start, averaged_start
from align.sparse.block_model import BlockModel, Priors
from align.sparse.block_residuals import BlockState
from align.sparse.canonical import CanonicalView
from align.sparse.edge_quality import triangles_of
from align.sparse.gather import Gathered
from align.sparse.measured_pairs import measure_pairs, middle_depths
from align.sparse.observations import Lens, Observations, observe
from align.sparse.parameters import Known
from masks.notice import Notice
from pairs.backend import Progress, silent
from pairs.views import View


@dataclass(frozen=True, slots=True)
class GaussNewton:
    """Options of the default aligner."""

    cuts_px: tuple[float, ...] = (8.0, 4.0, 2.0, 1.0)
    """Errors at which a match's weight has fallen to a half, one after the other."""
    early: Control = field(default_factory=lambda: Control(max_steps=3, least_gain=0.03))
    """At all cuts but the last."""
    last: Control = field(default_factory=Control)
    block: int = 8
    """Side in pixels of the squares whose depth moves as one."""
    offset_sigma: float = 0.02
    """Of a block's log depth about the canonical one."""
    log_focal_sigma: float = 0.005
    """About the pointmaps' own focals; tighter than these are, since matches alone draw it down."""
    rotation_sigma_deg: float = 3.0
    """About the start, over all axes: unseen where there are matches, it holds a view without."""
    place_sigma: float = 0.05
    """Of a camera about the start, in units of the object's distance."""


@dataclass(frozen=True, slots=True)
class BlockSolution:
    """Cameras, and what brings every view's canonical depth to the world: depth = canonical depth x exp(log size + offset of its block)."""

    cam_from_world: np.ndarray  # (V, 4, 4)
    K: np.ndarray  # (V, 3, 3), pixels
    log_size: np.ndarray  # (V,)
    log_offset: tuple[np.ndarray, ...]  # (h, w) each, one a block; 0 where no match hangs on it
    notices: tuple[Notice, ...]
    figures: Mapping[str, Any]
    """Numbers for the report, ready for JSON."""


@dataclass(frozen=True, slots=True)
class Refined:
    """Where the refinement ended and how."""

    state: BlockState
    model: BlockModel
    """At the last cut."""
    free: np.ndarray  # (N,) bool, unknowns that were not held
    descents: tuple[Descent, ...]


def gauss_newton_align(
    gathered: Gathered,
    views: Sequence[View],
    principal_points: torch.Tensor,  # (V, 2), pixels
    options: GaussNewton,
    known: Known | None = None,
    progress: Progress = silent,
) -> BlockSolution:
    """Return cameras and depths in which all pairs agree best."""
    known = known or Known()
    pairs = measure_pairs(gathered)
    triangles = triangles_of(pairs, len(views))
    start = averaged_start(pairs, triangles, len(views))
    lens, log_focal = lens_of(gathered.views, views, principal_points, known)
    rejected = {tuple(pair) for pair in pairs.pair[start.rejected].tolist()}
    records = [r for r in gathered.records if (r.a, r.b) not in rejected]
    obs = observe(gathered.views, records, lens, options.block)
    refined = refine(obs, lens, start, log_focal, options)
    return _solution(gathered, refined, known, options)


def lens_of(canonical: Sequence[CanonicalView], views: Sequence[View], principal_points: torch.Tensor, known: Known) -> tuple[Lens, np.ndarray]:
    ids = sorted({view.camera for view in views})
    camera = np.array([ids.index(view.camera) for view in views])
    votes = np.log([float(view.focal) for view in canonical])
    log_focal = np.array([np.median(votes[camera == c]) for c in range(len(ids))])
    return Lens(principal_points.numpy(), np.ones(len(views)), camera), log_focal


def refine(obs: Observations, lens: Lens, start: Start, log_focal: np.ndarray, options: GaussNewton) -> Refined:
    per_axis = np.deg2rad(options.rotation_sigma_deg)
    priors = Priors(log_focal, options.log_focal_sigma, options.offset_sigma, start.R_cam_from_world, start.t_cam_from_world, per_axis, options.place_sigma)
    model = BlockModel(obs, lens, priors, options.cuts_px[0])
    state = BlockState(start.R_cam_from_world, start.t_cam_from_world, start.log_size, log_focal, np.zeros(obs.block.shape))
    n = len(start.log_size)
    free = np.ones(7 * n + len(log_focal), bool)
    free[6 * start.root : 6 * start.root + 6] = free[6 * n + start.root] = False
    descents, damping = [], options.early.first_damping
    for k, cut in enumerate(options.cuts_px):
        control = options.last if k == len(options.cuts_px) - 1 else options.early
        model = replace(model, cut=cut)
        state, descent = minimise(model, state, free, replace(control, first_damping=damping))
        damping = descent.damping
        descents.append(descent)
    return Refined(state, model, free, tuple(descents))


def _solution(gathered: Gathered, refined: Refined, known: Known, options: GaussNewton) -> BlockSolution:
    state, lens = refined.state, refined.model.lens
    n = len(state.log_size)
    cam = np.tile(np.eye(4), (n, 1, 1))
    cam[:, :3, :3], cam[:, :3, 3] = state.R_cam_from_world, state.t_cam_from_world
    K = np.tile(np.eye(3), (n, 1, 1))
    K[:, 0, 0] = np.exp(state.log_focal)[lens.camera]
    K[:, 1, 1] = K[:, 0, 0] / lens.aspect
    K[:, :2, 2] = lens.principal_point
    offsets = []
    for v, view in enumerate(gathered.views):
        w, h = (-(-size // options.block) for size in view.size)
        grid = np.zeros(h * w)
        used = refined.model.obs.block[v] >= 0
        grid[refined.model.obs.block[v][used]] = state.offset[v][used]
        offsets.append(grid.reshape(h, w))
    return BlockSolution(cam, K, state.log_size - np.log(middle_depths(gathered.views)), tuple(offsets), (), {"descents": [d.costs for d in refined.descents], "stopped": [d.stopped for d in refined.descents]})
