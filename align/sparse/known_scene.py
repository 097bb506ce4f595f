"""A scene that stays while views are placed in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from align.scene import Report, Scene, SceneView
from align.sparse.canonical import CanonicalView
from align.sparse.gather import Gathered
from align.sparse.parameters import Known
from masks.errors import UserError
from masks.notice import first_few
from pairs.cameras import Cameras
from pairs.prediction import Predictions
from pairs.views import View


def require_same_grids(scene: Scene, views: Sequence[View]) -> None:
    """Raise `UserError` when a view of the scene has another grid among the predictions, or the scene holds none of the views."""
    held = {view.name: view for view in scene.views}
    common = [view for view in views if view.name in held]
    if not common:
        names = first_few(list(held))
        raise UserError(f"none of the predictions' views is in the scene, whose views are {names}. Views are known by their names.")
    for view in common:
        sizes = [f"{w}x{h}" for w, h in (view.pixel_map.target_size, held[view.name].pixel_map.target_size)]
        if sizes[0] != sizes[1]:
            raise UserError(f"{view.name}: predicted on a grid of {sizes[0]}, but {sizes[1]} in the scene. Predict it on the scene's grid.")


def with_scene(scene: Scene, predictions: Predictions) -> Predictions:
    """Return the predictions with the scene's cameras stated for its views, and none for others."""
    at_original = scene.at_original()
    held = {view.name: k for k, view in enumerate(scene.views)}

    def stated(view: View) -> View:
        k = held.get(view.name)
        if k is None:
            return replace(view, cam_from_world=None)
        return replace(view, K=at_original.K[k], cam_from_world=scene.cameras.cam_from_world[k], camera=scene.views[k].camera)

    return replace(predictions, views=tuple(stated(view) for view in predictions.views), cameras=None)


def freeze(scene: Scene, gathered: Gathered, known: Known) -> Known:
    """Return what is known, with the scene's depths, and its views frozen wholly."""
    held = {view.name: view for view in scene.views}
    names = [view.name for view in gathered.predictions.views]
    frozen = [k for k, name in enumerate(names) if name in held]
    depths = {k: _anchor_depths(held[names[k]], gathered.views[k]) for k in frozen}
    return replace(known, anchor_depth=depths, freeze=dict.fromkeys(frozen, 1.0))


def frozen_in(scene: Scene, solved: Scene) -> Scene:
    """Return the scene with the solved one's other views behind its own, which stay to the bit, and the solved one's report."""
    held = {view.name: k for k, view in enumerate(scene.views)}
    new = [k for k, view in enumerate(solved.views) if view.name not in held]
    position = held | {solved.views[k].name: len(scene.views) + place for place, k in enumerate(new)}
    pairs = [tuple(position[solved.views[k].name] for k in edge) for edge in solved.edges]
    cameras = [np.concatenate([getattr(scene.cameras, name), getattr(solved.cameras, name)[new]]) for name in ("K", "cam_from_world")]
    edges = dict.fromkeys((*scene.edges, *((a, b) for a, b in pairs)))
    inputs = dict.fromkeys((*scene.inputs, *solved.inputs))
    report = Report((*scene.report.notices, *solved.report.notices), {**solved.report.figures, "views held": len(held), "views placed": len(new)})
    return Scene((*scene.views, *(solved.views[k] for k in new)), Cameras(*cameras), tuple(inputs), tuple(edges), report)


def _anchor_depths(seen: SceneView, view: CanonicalView) -> Tensor:
    """Return the scene's depths (h, w) at a view's anchors, by the middle ratio of each block's pixels; NaN for a block where it knows none."""
    height, width = seen.depth.shape
    ratio = np.full(view.depth.shape, np.nan)
    canonical = view.depth.numpy()[:height, :width]
    known = (seen.depth > 0) & (canonical > 0)
    ratio[:height, :width][known] = seen.depth[known] / canonical[known]
    rows, columns = view.anchor_depth.shape
    blocks = torch.from_numpy(ratio).reshape(rows, view.subsample, columns, view.subsample).transpose(1, 2).reshape(rows, columns, -1)
    return view.anchor_depth * blocks.nanmedian(-1).values
