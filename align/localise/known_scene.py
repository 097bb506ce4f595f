"""A scene that stays while views are placed in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from align.measurements.canonical import CanonicalView
from align.measurements.gathered import Measurements
from align.measurements.known_cameras import Known
from align.scene import Report, Scene, SceneView
from masks.errors import UserError
from masks.notice import Level, first_few, warning
from masks.pixelmap import intrinsics_to_source
from pairs.prediction.predictions import Predictions
from pairs.views.cameras import Cameras
from pairs.views.view import View


def require_same_grids(scene: Scene, views: Sequence[View]) -> None:
    """Raise `UserError` when a view of the scene has another grid among the predictions, or the scene holds
    none of the views.
    """
    held = {view.name: view for view in scene.views}
    common = [view for view in views if view.name in held]
    if not common:
        names = first_few(list(held))
        raise UserError(
            f"none of the predictions' views is in the scene, whose views are {names}. Views are known by "
            "their names."
        )
    for view in common:
        sizes = [f"{w}x{h}" for w, h in (view.pixel_map.target_size, held[view.name].pixel_map.target_size)]
        if sizes[0] != sizes[1]:
            raise UserError(
                f"{view.name}: predicted on a grid of {sizes[0]}, but {sizes[1]} in the scene. Predict it "
                "on the scene's grid."
            )


def with_scene(scene: Scene, predictions: Predictions) -> Predictions:
    """Return the predictions with the scene's cameras stated for its views, and no poses for others, which a
    notice says.

    The scene may be one of photos, the predictions one of their grids: what they have in common is the grid.
    """
    held = {view.name: k for k, view in enumerate(scene.views)}
    camera = _camera_ids(scene, predictions.views)

    def stated(view: View) -> View:
        k = held.get(view.name)
        if k is None:
            return replace(view, cam_from_world=None, camera=camera[view.camera])
        K = intrinsics_to_source(view.grid_from_photo, scene.cameras.K[k])
        return replace(
            view, K=K, cam_from_world=scene.cameras.cam_from_world[k], camera=scene.views[k].camera
        )

    unheard = [
        view.name for view in predictions.views if view.name not in held and view.cam_from_world is not None
    ]
    notices = predictions.notices
    if unheard:
        notices = (
            *notices,
            warning(
                "poses",
                f"the stated ones are not used, since the scene sets the world: {first_few(unheard)}.",
            ),
        )
    return replace(
        predictions, views=tuple(stated(view) for view in predictions.views), cameras=None, notices=notices
    )


def _camera_ids(scene: Scene, views: Sequence[View]) -> dict[str, str]:
    """Return the ids in the scene of the predictions' cameras: those of the views in common, else one that no
    camera of the scene has.
    """
    held = {view.name: view.camera for view in scene.views}
    known = {view.camera: held[view.name] for view in views if view.name in held}
    for camera in dict.fromkeys(view.camera for view in views):
        fresh = camera
        while camera not in known and fresh in (*held.values(), *known.values()):
            fresh += "+"
        known.setdefault(camera, fresh)
    return known


def with_fixed_views(scene: Scene, measurements: Measurements, known: Known) -> Known:
    """Return what is known, with the scene's depths, and its views fixed wholly."""
    held = {view.name: view for view in scene.views}
    names = [view.name for view in measurements.predictions.views]
    fixed = [k for k, name in enumerate(names) if name in held]
    anchors = {k: _anchor_depths(held[names[k]], measurements.views[k]) for k in fixed}
    depths = {k: torch.from_numpy(held[names[k]].depth) for k in fixed}
    return replace(known, anchor_depth=anchors, depth=depths, fixed=dict.fromkeys(fixed, 1.0))


def extended(scene: Scene, solved: Scene) -> Scene:
    """Return the scene with the solved one's other views behind its own, which stay to the bit, and what the
    solved one's report says.

    Figures of the solved one, whose lists are by its own views, stand under "placements".
    """
    held = {view.name: k for k, view in enumerate(scene.views)}
    new = [k for k, view in enumerate(solved.views) if view.name not in held]
    position = held | {solved.views[k].name: len(scene.views) + place for place, k in enumerate(new)}
    pairs = [(position[solved.views[a].name], position[solved.views[b].name]) for a, b in solved.edges]
    cameras = [
        np.concatenate([getattr(scene.cameras, name), getattr(solved.cameras, name)[new]])
        for name in ("K", "cam_from_world")
    ]
    known = {frozenset(pair) for pair in scene.edges}
    edges = (*scene.edges, *(pair for pair in pairs if frozenset(pair) not in known))
    inputs = dict.fromkeys((*scene.inputs, *solved.inputs))
    placement = {"views": [view.name for view in solved.views], **solved.report.figures}
    figures = {**scene.report.figures, "placements": [*scene.report.figures.get("placements", ()), placement]}
    # What an earlier report says of views that were left out then, and the new one of views that stay.
    settled = [
        n
        for n in scene.report.notices
        if n.level is Level.LEFT_OUT and position.get(n.subject, 0) >= len(held)
    ]
    settled += [n for n in solved.report.notices if n.level is Level.LEFT_OUT and n.subject in held]
    notices = [
        notice
        for notice in dict.fromkeys((*scene.report.notices, *solved.report.notices))
        if notice not in settled
    ]
    report = Report(tuple(notices), figures)
    views = (*scene.views, *(solved.views[k] for k in new))
    return Scene(views, Cameras(*cameras), tuple(inputs), edges, report, scene.tracks)


def _anchor_depths(seen: SceneView, view: CanonicalView) -> Tensor:
    """Return the scene's depths (h, w) at a view's anchors, by the middle ratio of each block's pixels; NaN
    for a block where it knows none.
    """
    height, width = seen.depth.shape
    ratio = np.full(view.depth.shape, np.nan)
    canonical = view.depth.numpy()[:height, :width]
    known = (seen.depth > 0) & (canonical > 0)
    ratio[:height, :width][known] = seen.depth[known] / canonical[known]
    rows, columns = view.anchor_depth.shape
    blocks = (
        torch.from_numpy(ratio)
        .reshape(rows, view.subsample, columns, view.subsample)
        .transpose(1, 2)
        .reshape(rows, columns, -1)
    )
    return view.anchor_depth * blocks.nanmedian(-1).values
