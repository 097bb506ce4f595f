"""The sparse global alignment from predictions to a scene."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import networkx
import numpy as np
import torch

from align.presets import Preset
from align.scene import Report, Scene, SceneView
from align.sparse.adam import Descent, descend
from align.sparse.camera_chain import CameraChain, Placement, place
from align.sparse.clean import clean
from align.sparse.condense import condense
from align.sparse.densify import DenseView, densify
from align.sparse.gather import Gathered, gather, keep_views, principal_point
from align.sparse.parameters import Known, start
from align.sparse.posed_start import posed_start
from align.sparse.presets import AdamOptions
from align.sparse.problem import Problem
from align.sparse.self_check import SelfCheck, is_worse, self_check
from align.sparse.spanning_tree import Tree, build_tree
from align.sparse.tree_start import tree_start
from masks.errors import GraphError
from masks.notice import Notice, info, left_out, warning
from pairs.backend import Progress, silent
from pairs.cameras import Cameras
from pairs.prediction import Predictions
from pairs.views import View, grid_mask

_LEAST_SHARE = 0.15
"""A view of whose matches fewer agree is misplaced, however the others do (the default aligner's design, chapter 5)."""
_DOUBTFUL_SHARE = 0.4
"""Solved scenes have 0.42 and more even with twice the usual noise (the default aligner's design, chapter 5)."""
_UNMATCHED_SCORE = 1e-3
"""Score of a pair without matches whose cameras are known: the chain must reach every view, through such a pair last of all."""


@dataclass(frozen=True, slots=True)
class _Solved:
    """Where the descent ended, where it began, and which of both is handed on."""

    problem: Problem
    chain: CameraChain
    placement: Placement
    before: SelfCheck
    after: SelfCheck
    descent: Descent
    kept: bool


def sparse_align(predictions: Predictions, preset: Preset, progress: Progress = silent) -> Scene:
    """Return the scene in which all pair predictions agree best.

    From the backend's own cameras (K held) where the preset wants them, else from the pair predictions alone. A refinement that ends worse than
    its start by its own matches is thrown away, and the report says so. Views that no matches tie to the rest are left out by name.
    Raises `GraphError` when no two views are tied by matches.
    """
    given = tuple(view.name for view in predictions.views)
    warm = predictions.cameras is not None and preset.warm is not None
    options = preset.warm if warm and preset.warm is not None else preset.cold
    if not warm:
        predictions = replace(predictions, cameras=None)
    gathered = gather(predictions, options, preset.whole_pixels, progress)
    part = list(range(len(gathered.views))) if warm else largest_part(gathered)
    if len(part) < 2:
        reasons = " ".join(f"{n.subject}: {n.text}" for n in gathered.notices[:3])
        raise GraphError(f"no two views are tied by matches inside the masks. Check the masks, the pairs and the predictions. {reasons}".strip())
    notices = (*predictions.notices, *gathered.notices, *_untied(gathered, part), *_partly_stated(predictions.views))
    gathered = keep_views(gathered, part)
    solved = _solve(gathered, options, warm, preset.chained_start, progress)
    return replace(_scene(gathered, solved, preset, notices, progress), inputs=given)


def largest_part(gathered: Gathered) -> list[int]:
    """Return the largest set of views that matches tie together; of equal ones the first."""
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(gathered.views)))
    graph.add_edges_from((r.a, r.b) for r in gathered.records if len(r.conf))
    return sorted(max(networkx.connected_components(graph), key=len, default=set()))


def _untied(gathered: Gathered, part: Sequence[int]) -> list[Notice]:
    text = f"no matches tie it to the {len(part)} views that were aligned. Add pairs that link it, or align its part alone."
    return [left_out(view.name, text) for k, view in enumerate(gathered.predictions.views) if k not in part]


def _partly_stated(views: Sequence[View]) -> list[Notice]:
    stated = [view.name for view in views if view.cam_from_world is not None]
    if not stated or len(stated) == len(views):
        return []
    return [warning("poses", f"stated for {len(stated)} of {len(views)} views ({', '.join(stated[:3])}, ...): not used. State all or none.")]


def _solve(gathered: Gathered, options: AdamOptions, warm: bool, chained_start: bool, progress: Progress) -> _Solved:
    centres = torch.stack([principal_point(view, gathered.predictions, k) for k, view in enumerate(gathered.predictions.views)])
    problem = condense(gathered.views, gathered.records, centres)
    scores = problem.pair_scores
    if warm:
        scores = scores + _UNMATCHED_SCORE * (1 - torch.eye(problem.num_views).to(scores))
    tree = build_tree(scores.numpy(), problem.size.numpy(), options.tree, options.subsample)
    known = _known(gathered, problem, tree, warm, chained_start)
    parameters, chain = start(problem, tree, options, known)
    begin = place(parameters, chain)
    descent = descend(problem, parameters, chain, options, known, lambda stage, done, total: progress(f"aligning, {stage}", done, total))
    before, after = self_check(problem, chain, begin), self_check(problem, chain, descent.placement)
    kept = bool(descent.stopped == "finished" and not is_worse(after, before))
    return _Solved(problem, chain, descent.placement if kept else begin, before, after, descent, kept)


def _known(gathered: Gathered, problem: Problem, tree: Tree, warm: bool, chained_start: bool) -> Known:
    """Return what the descent starts from: the backend's cameras, the stated poses, poses chained along the tree, or nothing."""
    predictions = gathered.predictions
    if warm and predictions.cameras is not None:
        K = {k: torch.from_numpy(K) for k, K in enumerate(predictions.cameras.K)}
        return Known(K=K, cam_from_world=torch.from_numpy(predictions.cameras.cam_from_world))
    stated = {k: torch.from_numpy(view.K) for k, view in enumerate(predictions.views) if view.K is not None}
    poses = [view.cam_from_world for view in predictions.views]
    if not chained_start:
        return Known(K=stated)
    if all(pose is not None for pose in poses):
        K = torch.stack([stated.get(k, _estimated_K(problem, k)) for k in range(problem.num_views)])
        posed = posed_start(problem, K, torch.from_numpy(np.stack([pose for pose in poses if pose is not None])))
    else:
        posed = tree_start(gathered.views, gathered.samples, tree)
    depths = problem.anchor_depth.split(problem.anchor_start.diff().tolist())
    return Known(K=stated, anchor_depth={k: depth * posed.size[k] for k, depth in enumerate(depths)}, cam_from_world=posed.cam_from_world)


def _estimated_K(problem: Problem, view: int) -> torch.Tensor:
    """Return the intrinsics (3, 3) that a view's own pointmaps suggest."""
    K = torch.diag(torch.stack([problem.base_focal[view], problem.base_focal[view], torch.ones_like(problem.base_focal[view])]))
    K[:2, 2] = problem.principal_point[view]
    return K


def _scene(gathered: Gathered, solved: _Solved, preset: Preset, notices: Sequence[Notice], progress: Progress) -> Scene:
    predictions, placement = gathered.predictions, solved.placement
    progress("cleaning", 0, 1)
    dense = clean(densify(gathered.views, placement, solved.chain), placement.K, placement.cam_from_world, preset.clean_tolerance)
    views = tuple(_scene_view(view, seen) for view, seen in zip(predictions.views, dense))
    cameras = Cameras(placement.K.numpy(), placement.cam_from_world.numpy())
    report = Report((*notices, *_verdict(solved, predictions.views)), _figures(solved))
    return Scene(views, cameras, tuple(view.name for view in predictions.views), predictions.edges, report)


def _scene_view(view: View, seen: DenseView) -> SceneView:
    """Return a view as the scene keeps it. A pixel off the object, or without a depth in front of the camera, has neither depth nor confidence."""
    mask = grid_mask(view)
    height, width = mask.shape  # the solver's grid may have a margin that makes its blocks whole
    depth, conf = seen.depth[:height, :width], seen.conf[:height, :width]
    known = torch.from_numpy(mask) & (depth > 0)  # NaN is not
    depth, conf = (torch.where(known, x, 0).float().numpy() for x in (depth, conf))
    return SceneView(view.name, view.camera, view.pixel_map, depth, conf, view.image, mask)


def _verdict(solved: _Solved, views: Sequence[View]) -> list[Notice]:
    before, after = solved.before, solved.after
    figures = f"mean reprojection error, cut at 2 px: {before.cut_mean_px:.3f} -> {after.cut_mean_px:.3f} px of the grid"
    notices = []
    if solved.kept:
        notices.append(info("alignment", f"{figures}; within 2 px: {100 * after.near_share:.0f} % of the matches."))
    elif solved.descent.stopped != "finished":
        notices.append(warning("alignment", f"the refinement broke off ({solved.descent.stopped}): its start is kept."))
    else:
        notices.append(warning("alignment", f"the refinement ended worse than it began ({figures}): its start is kept."))
    chosen = after if solved.kept else before
    if chosen.near_share < _DOUBTFUL_SHARE:
        text = f"only {100 * chosen.near_share:.0f} % of the matches agree with the scene within 2 px: it is doubtful. Check masks and predictions."
        notices.append(warning("alignment", text))
    shares = np.array(chosen.view_near_share)
    typical = np.nanmedian(shares) if not np.isnan(shares).all() else np.nan
    for view, share in zip(views, shares):
        if np.isnan(share):
            notices.append(warning(view.name, "has no matches: its camera is where the backend put it, unchecked."))
        elif share < max(_LEAST_SHARE, typical / 2):
            text = f"only {100 * share:.0f} % of its matches agree with its place within 2 px ({100 * typical:.0f} % is usual): perhaps misplaced."
            notices.append(warning(view.name, text))
    return notices


def _figures(solved: _Solved) -> dict[str, Any]:
    losses, before, after = solved.descent.losses, solved.before, solved.after
    return {
        "refinement kept": solved.kept,
        "steps": len(losses),
        "final loss": _number(losses[-1]) if len(losses) else None,
        "matches": int(solved.problem.match_start[-1]),
        "median reprojection error px": {"start": _number(before.median_px), "end": _number(after.median_px)},
        "mean reprojection error cut at 2 px": {"start": _number(before.cut_mean_px), "end": _number(after.cut_mean_px)},
        "share within 2 px": {"start": _number(before.near_share), "end": _number(after.near_share)},
    }


def _number(value: float | torch.Tensor) -> float | None:
    """Return a number as JSON knows it: none where it is not finite."""
    return float(value) if math.isfinite(value) else None
