"""The default aligner: averaged pair poses, then damped least squares with eliminated depths (the default aligner's design, chapter 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from align.bundle.consistency import Consistency, check_consistency, consistency_notices
from align.bundle.intrinsics import Lenses, lenses_of
from align.bundle.observations import Observations, observe
from align.bundle.refinement import STRAYED_SIGMAS, GaussNewton, Held, Refined, contradicted_poses, held_of, known_depths, refine, strayed
from align.bundle.reprojection import BlockState
from align.bundle.second_start import resected_start
from align.bundle.uncertainty import uncertainty
from align.initial.from_known_poses import given_start
from align.initial.loop_consistency import Triangles, triangles_of
from align.initial.motion_averaging import Start, averaged_start
from align.initial.relative_poses import MeasuredPairs, measure_pairs
from align.measurements.canonical import CanonicalView
from align.measurements.gather import Gathered, principal_point
from align.sparse.start import Known
from masks.notice import Notice, info, warning
from pairs.backends.protocol import Progress, silent

_FROZEN_SHARE = 0.5
"""Of the matches, within 2 px: true poses leave more, poses a degree off less (the default aligner's design, chapter 7.1)."""


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
    sizes, offsets = known_depths(gathered.views, known)
    log_distance = {view: size + float(np.log(middle[view])) for view, size in enumerate(sizes) if size is not None}
    evidence, unit, notices = _weighed(gathered, middle, known, options, log_distance)
    held = held_of(evidence.obs, known, options, offsets)
    refined = refine(evidence.obs, evidence.lenses, evidence.start, held, options, progress)
    refined, consistency, moved = _second_try(refined, evidence, held, options, names)
    notices += (
        moved + _broken_off(refined) + _frozen_doubt(consistency, held) + consistency_notices(consistency, evidence.pairs, evidence.start, names)
    )
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


def _weighed(
    gathered: Gathered, middle: np.ndarray, known: Known, options: GaussNewton, log_distance: Mapping[int, float]
) -> tuple[_Evidence, float, tuple[Notice, ...]]:
    """Return the evidence, the unit of its start in the world, and notices about lenses.

    `middle` (V,) are the views' median depths as predicted, `log_distance` logs of the known ones.
    """
    views = gathered.predictions.views
    principal_points = torch.stack([principal_point(view, gathered.predictions, k) for k, view in enumerate(views)])
    pairs = measure_pairs(gathered, middle, principal_points)
    triangles = triangles_of(pairs, len(views))
    start, unit = _start(pairs, triangles, len(views), known, log_distance)
    lenses, notices = lenses_of(gathered.views, views, principal_points, known)
    lenses = replace(lenses, free_centre=options.principal_point_sigma is not None)
    rejected = {(int(a), int(b)) for a, b in pairs.pair[start.rejected]}
    kept = [record for record in gathered.records if (record.a, record.b) not in rejected]
    return _Evidence(pairs, triangles, start, lenses, observe(gathered.views, middle, kept, lenses)), unit, notices


def _second_try(
    refined: Refined, evidence: _Evidence, held: Held, options: GaussNewton, names: Sequence[str]
) -> tuple[Refined, Consistency, tuple[Notice, ...]]:
    """Return the result and how far it agrees, after a second descent where the first began in wrong places.

    Views in a wrong place, or in one that contradicts their given pose, are placed anew, and such a pose is believed no more. Other given poses
    are believed as before; what is believed of the other views is centred where the first descent ended.
    """
    consistency, stray = evidence.check(refined), strayed(refined)
    wrong = contradicted_poses(stray, held)
    wrong[consistency.misplaced] = True
    misplaced = [int(view) for view in np.flatnonzero(wrong & ~held.pose)]
    if not misplaced and not (stray[~held.given] > STRAYED_SIGMAS).any():
        return refined, consistency, ()
    believed = replace(held, given=held.given & (~wrong | held.pose))
    start = resected_start(evidence.start, misplaced, evidence.obs, evidence.lenses, refined.state)
    start = _with_poses_of(evidence.start, start, believed.given)
    second = refine(evidence.obs, evidence.lenses, start, believed, options, silent)
    again = evidence.check(second)
    if not again.near_share >= consistency.near_share:
        return refined, consistency, ()
    cured = sorted(set(misplaced) - set(again.misplaced))
    return second, again, tuple(_placed_anew(names[view], bool(held.given[view]) and view != start.root) for view in cured)


def _with_poses_of(before: Start, start: Start, views: np.ndarray) -> Start:
    """Return a start with the poses of another one for some views (V,) bool."""
    R = np.where(views[:, None, None], before.R_cam_from_world, start.R_cam_from_world)
    return replace(start, R_cam_from_world=R, t_cam_from_world=np.where(views[:, None], before.t_cam_from_world, start.t_cam_from_world))


def _placed_anew(name: str, given: bool) -> Notice:
    if given:
        return warning(name, "its given pose contradicts its matches; it was placed where it sees the points of the others. Check the pose.")
    return info(name, "the pairs had put it in a wrong place; it was placed anew where it sees the points of the others.")


def _start(pairs: MeasuredPairs, triangles: Triangles, num_views: int, known: Known, log_distance: Mapping[int, float]) -> tuple[Start, float]:
    """Return the start, known depths in it, and its unit in the world: 1 without given poses."""
    if not known.cam_from_world:
        return averaged_start(pairs, triangles, num_views), 1.0
    given = {view: pose.double().numpy() for view, pose in known.cam_from_world.items()}
    start, unit = given_start(pairs, triangles, given, num_views, log_distance)
    log_size = start.log_size.copy()
    for view, log in log_distance.items():
        log_size[view] = log - np.log(unit)
    return replace(start, log_size=log_size), unit


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


def _frozen_doubt(consistency: Consistency, held: Held) -> tuple[Notice, ...]:
    """Return a warning when held poses hardly fit the matches: errors of a degree then end in depths."""
    if not held.pose.any() or not consistency.near_share < _FROZEN_SHARE:
        return ()
    share = f"{100 * consistency.near_share:.0f} %"
    return (
        warning("poses", f"with the frozen ones only {share} of the matches agree within 2 px: they may be off. Believe them softly, or check them."),
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
        "sigma camera centre": _finite(unit * sigmas.place),
        "sigma focal share": _finite(sigmas.log_focal),
    }


def _finite(values: Iterable[float]) -> list[float | None]:
    """Return numbers as JSON knows them: none for what is not finite."""
    return [float(value) if np.isfinite(value) else None for value in values]
