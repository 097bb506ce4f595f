"""The default aligner: averaged pair poses, then damped least squares with eliminated depths (the default aligner's design, chapter 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from align.sparse.averaging import Start, averaged_start
from align.sparse.block_residuals import BlockState
from align.sparse.canonical import CanonicalView
from align.sparse.consistency import Consistency, check_consistency, consistency_notices
from align.sparse.edge_quality import Triangles, triangles_of
from align.sparse.gather import Gathered, principal_point
from align.sparse.given_start import given_start
from align.sparse.lenses import Lenses, lenses_of
from align.sparse.measured_pairs import MeasuredPairs, measure_pairs
from align.sparse.observations import Observations, observe
from align.sparse.parameters import Known
from align.sparse.refinement import GaussNewton, Held, Refined, held_of, known_depths, refine, strayed
from align.sparse.resection import resected_start
from align.sparse.uncertainty import uncertainty
from masks.notice import Notice, info, warning
from pairs.backend import Progress, silent


@dataclass(frozen=True, slots=True)
class BlockSolution:
    """Cameras, and what brings every view's canonical depth to the world: depth = canonical depth x exp(log size + offset of its block)."""

    cam_from_world: np.ndarray  # (V, 4, 4)
    K: np.ndarray  # (V, 3, 3), pixels
    log_size: np.ndarray  # (V,)
    log_offset: tuple[np.ndarray, ...]  # (h, w) each, one an anchor's block; NaN where no match hangs on it
    notices: tuple[Notice, ...]
    figures: Mapping[str, Any]
    """Numbers for the report, ready for JSON."""


def gauss_newton_align(gathered: Gathered, options: GaussNewton, known: Known | None = None, progress: Progress = silent) -> BlockSolution:
    """Return cameras and depths in which all pairs agree best.

    Of what is known, K is held; given poses set the world, and are softly believed or stay; the depths of wholly frozen views stay.
    Without given poses the world is the camera of one view, and its unit the mean distance of the object.
    Raises `GraphError` when the pairs do not tie all views together.
    """
    known, names = known or Known(), [view.name for view in gathered.predictions.views]
    middle = middle_depths(gathered.views)
    evidence, unit, notices = _weighed(gathered, middle, known, options)
    sizes, offsets = known_depths(gathered.views, known)
    in_units = [size if depth is None else depth + np.log(m / unit) for size, depth, m in zip(evidence.start.log_size, sizes, middle)]
    evidence = replace(evidence, start=replace(evidence.start, log_size=np.array(in_units)))
    held = held_of(evidence.obs, known, options, offsets)
    refined = refine(evidence.obs, evidence.lenses, evidence.start, held, options, progress)
    refined, consistency, moved = _second_try(refined, evidence, held, options, names)
    notices += moved + _broken_off(refined) + consistency_notices(consistency, evidence.pairs, evidence.start, names)
    return BlockSolution(
        cam_from_world=_poses(refined.state, unit, {view: pose for view, pose in known.cam_from_world.items() if held.pose[view]}),
        K=evidence.lenses.K(refined.state.log_focal, refined.state.shift),
        log_size=refined.state.log_size + np.log(unit / middle),
        log_offset=tuple(_offsets(*view) for view in zip(gathered.views, evidence.obs.block, refined.state.offset)),
        notices=notices,
        figures=_figures(refined, unit) | consistency.figures(),
    )


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the refinement starts from and is checked against."""

    pairs: MeasuredPairs
    triangles: Triangles
    start: Start
    lenses: Lenses
    obs: Observations
    """Without the matches of rejected pairs."""

    def check(self, refined: Refined) -> Consistency:
        """Return how far a result agrees with it."""
        return check_consistency(self.obs, self.lenses, refined.state, self.pairs, self.start, self.triangles)


def _weighed(gathered: Gathered, middle: np.ndarray, known: Known, options: GaussNewton) -> tuple[_Evidence, float, tuple[Notice, ...]]:
    """Return the evidence, the unit of its start in the world, and notices about lenses. `middle` (V,) are the views' median depths."""
    views = gathered.predictions.views
    principal_points = torch.stack([principal_point(view, gathered.predictions, k) for k, view in enumerate(views)])
    pairs = measure_pairs(gathered, middle, principal_points)
    triangles = triangles_of(pairs, len(views))
    start, unit = _start(pairs, triangles, len(views), known)
    lenses, notices = lenses_of(gathered.views, views, principal_points, known)
    lenses = replace(lenses, free_centre=options.principal_point_sigma is not None)
    rejected = {(int(a), int(b)) for a, b in pairs.pair[start.rejected]}
    kept = [record for record in gathered.records if (record.a, record.b) not in rejected]
    return _Evidence(pairs, triangles, start, lenses, observe(gathered.views, middle, kept, lenses)), unit, notices


def _second_try(
    refined: Refined, evidence: _Evidence, held: Held, options: GaussNewton, names: Sequence[str]
) -> tuple[Refined, Consistency, tuple[Notice, ...]]:
    """Return the result and how far it agrees, after a second descent where the first began in wrong places.

    Views in a wrong place are placed anew, and what is believed of all views is centred where the first descent ended.
    """
    consistency = evidence.check(refined)
    misplaced = [int(view) for view in consistency.misplaced if not held.pose[view]]
    if not misplaced and not strayed(refined):
        return refined, consistency, ()
    start = resected_start(evidence.start, misplaced, evidence.obs, evidence.lenses, refined.state)
    second = refine(evidence.obs, evidence.lenses, start, held, options, silent)
    again = evidence.check(second)
    if not again.near_share >= consistency.near_share:
        return refined, consistency, ()
    cured = sorted(set(misplaced) - set(again.misplaced))
    text = "the pairs had put it in a wrong place; it was placed anew where it sees the points of the others."
    return second, again, tuple(info(names[view], text) for view in cured)


def _start(pairs: MeasuredPairs, triangles: Triangles, num_views: int, known: Known) -> tuple[Start, float]:
    """Return the start and its unit in the world: 1 without given poses."""
    if not known.cam_from_world:
        return averaged_start(pairs, triangles, num_views), 1.0
    return given_start(pairs, triangles, {view: pose.double().numpy() for view, pose in known.cam_from_world.items()}, num_views)


def middle_depths(views: Sequence[CanonicalView]) -> np.ndarray:
    """Return the median canonical depth (V,) of every view's object: the unit in which its points are measured."""
    return np.array([float(view.depth[view.valid].median()) for view in views])


def _poses(state: BlockState, unit: float, held: Mapping[int, torch.Tensor]) -> np.ndarray:
    """Return cam_from_world (V, 4, 4) in the world's unit; those that were held to the bit."""
    poses = np.tile(np.eye(4), (len(state.log_size), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = state.R_cam_from_world, unit * state.t_cam_from_world
    for view, pose in held.items():
        poses[view] = pose.numpy()
    return poses


def _offsets(view: CanonicalView, block: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return a view's offsets (h, w), one an anchor, from those of the blocks (B,) that hold an observation."""
    grid = np.full(view.anchor_depth.numel(), np.nan)
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
