"""The sparse global alignment from predictions to a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import networkx
import numpy as np
import torch

from align.presets import Preset
from align.scene import Report, Scene, SceneView
from align.sparse.adam_road import align_by_adam
from align.sparse.aligned import Aligned
from align.sparse.clean import clean
from align.sparse.densify import DenseView, densify_view
from align.sparse.gather import Gathered, gather, keep_views
from align.sparse.gauss_newton import GaussNewton, gauss_newton_align
from align.sparse.parameters import Known
from align.sparse.two_motions import masked_by_motion
from masks.errors import GraphError
from masks.notice import Notice, left_out, warning
from pairs.backend import Progress, silent
from pairs.cameras import Cameras
from pairs.prediction import Predictions
from pairs.views import View, grid_K, grid_mask


def sparse_align(predictions: Predictions, preset: Preset, progress: Progress = silent) -> Scene:
    """Return the scene in which all pair predictions agree best.

    From the backend's own cameras (K held) where the preset wants them, else from the pair predictions alone and what the user states of cameras.
    Views that cannot be used, or that no matches tie to the rest, are left out by name. Where no view has a mask and the predictions show an object
    that turns before a still backdrop, the default aligner cuts it out and says so.
    Raises `GraphError` when no two views are tied by matches.
    """
    given = tuple(view.name for view in predictions.views)
    warm = predictions.cameras is not None and preset.warm is not None
    solver = preset.warm if warm and preset.warm is not None else preset.cold
    if not warm:
        predictions = replace(predictions, cameras=None)
    gathered = gather(predictions, preset.reading(solver), progress)
    cut_out: tuple[Notice, ...] = ()
    if isinstance(solver, GaussNewton):
        masked, cut_out = masked_by_motion(gathered.predictions, gathered.samples)
        if cut_out:
            gathered = gather(masked, preset.reading(solver), progress)
    part = list(range(len(gathered.views))) if warm else largest_part(gathered)
    if len(part) < 2:
        reasons = " ".join(f"{n.subject}: {n.text}" for n in gathered.notices[:3])
        raise GraphError(f"no two views are tied by matches inside the masks. Check the masks, the pairs and the predictions. {reasons}".strip())
    notices = (*predictions.notices, *cut_out, *gathered.notices, *_untied(gathered, part), *_partly_stated(predictions.views))
    gathered = keep_views(gathered, part)
    aligned = _by_gauss_newton(gathered, solver, progress) if isinstance(solver, GaussNewton) else align_by_adam(gathered, solver, progress)
    progress("cleaning", 0, 1)
    return replace(_scene(gathered.predictions, aligned, notices, preset.clean_tolerance), inputs=given)


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


def _by_gauss_newton(gathered: Gathered, options: GaussNewton, progress: Progress) -> Aligned:
    views = gathered.predictions.views
    poses = [torch.from_numpy(view.cam_from_world) for view in views if view.cam_from_world is not None]
    known = Known(
        K={k: torch.from_numpy(K) for k, view in enumerate(views) if (K := grid_K(view)) is not None},
        cam_from_world=torch.stack(poses) if len(poses) == len(views) else None,
    )
    solution = gauss_newton_align(gathered, options, known, progress)
    cameras = Cameras(solution.K, solution.cam_from_world)
    dense = []
    for k, view in enumerate(gathered.views):
        anchor_depth = view.anchor_depth * torch.from_numpy(np.exp(solution.log_size[k] + solution.log_offset[k]))
        K, world_from_cam = torch.from_numpy(cameras.K[k]), torch.from_numpy(cameras.world_from_cam[k])
        dense.append(densify_view(view, K, world_from_cam, anchor_depth.flatten(), K[0, 0]))
    return Aligned(cameras, tuple(dense), solution.notices, solution.figures)


def _scene(predictions: Predictions, aligned: Aligned, notices: Sequence[Notice], clean_tolerance: float) -> Scene:
    cameras = aligned.cameras
    dense = clean(aligned.dense, torch.from_numpy(cameras.K), torch.from_numpy(cameras.cam_from_world), clean_tolerance)
    views = tuple(_scene_view(view, seen) for view, seen in zip(predictions.views, dense))
    report = Report((*notices, *aligned.notices), aligned.figures)
    return Scene(views, cameras, tuple(view.name for view in predictions.views), predictions.edges, report)


def _scene_view(view: View, seen: DenseView) -> SceneView:
    """Return a view as the scene keeps it. A pixel off the object, or without a depth in front of the camera, has neither depth nor confidence."""
    mask = grid_mask(view)
    height, width = mask.shape  # the solver's grid may have a margin that makes its blocks whole
    depth, conf = seen.depth[:height, :width], seen.conf[:height, :width]
    known = torch.from_numpy(mask) & (depth > 0)  # NaN is not
    depth, conf = (torch.where(known, x, 0).float().numpy() for x in (depth, conf))
    return SceneView(view.name, view.camera, view.pixel_map, depth, conf, view.image, mask)
