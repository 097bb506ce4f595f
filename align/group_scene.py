"""A scene from a group of views that needs no alignment: cameras as they were predicted, points from depth
and cameras. And the reverse: a scene as what a group says, for an alignment to start from.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from align.aligned import Aligned, scene_of, with_depths
from align.depth_maps.dense_view import DenseView
from align.depth_maps.source import DepthSource
from align.localise.known_scene import require_same_grids
from align.presets import POINTLOOM
from align.scene import Scene
from align.tracks import tracked_points
from masks.errors import ReconstructionError, UserError
from masks.notice import first_few, left_out
from masks.progress import Progress, silent
from pairs.prediction.from_group import pointmap
from pairs.prediction.predictions import GroupPrediction, Predictions
from pairs.views.cameras import some_cameras
from pairs.views.view import grid_mask


def group_scene(
    predictions: Predictions, depth: DepthSource | None = None, progress: Progress = silent
) -> Scene:
    """Return the scene of predictions of a whole group, with depths of a source or the network's.

    A pixel off the object, or one that the network is not sure of at all, has neither depth nor confidence;
    confidence is taken from points that stand before what another view sees more surely. Views without any
    such pixel are left out by name. Raises `ReconstructionError` when none is left, `UserError` when the
    depths are to come from matches: a group has none.
    """
    group = predictions.group
    if group is None:
        raise ValueError("these predictions are of pairs: align them")
    # Confidence is exactly 1 where a mask, or the lack of a usable depth, says that nothing is known.
    known = [grid_mask(view) & (conf > 1) for view, conf in zip(predictions.views, group.conf)]
    kept = [k for k, pixels in enumerate(known) if pixels.any()]
    if not kept:
        raise ReconstructionError(
            "no photo has a pixel of the object with a depth. Check the masks, and the weights of the "
            "network."
        )
    names = tuple(view.name for view in predictions.views)
    text = "none of its pixels on the object has a depth. Check its mask."
    without_depth = [left_out(name, text) for k, name in enumerate(names) if k not in kept]
    cameras = some_cameras(group.cameras, kept)
    dense = tuple(_dense(group, k, known[k]) for k in kept)
    part = replace(predictions, views=tuple(predictions.views[k] for k in kept), edges=())
    aligned = with_depths(Aligned(cameras, dense, (), {}), part.views, (), depth, progress)
    progress("cleaning", 0, 1)
    scene = scene_of(part, aligned, (*predictions.notices, *without_depth), POINTLOOM.clean)
    tracks = tracked_points(part, (), cameras) if predictions.tracks is not None else None
    return replace(scene, inputs=names, tracks=tracks)


def with_start(predictions: Predictions, scene: Scene) -> Predictions:
    """Return predictions of pairs with a scene's cameras and depths to start from, as a group's would be.

    Raises `UserError` where a view of the predictions is not in the scene, or on another grid there.
    """
    require_same_grids(scene, predictions.views)
    position = {view.name: k for k, view in enumerate(scene.views)}
    missing = [view.name for view in predictions.views if view.name not in position]
    if missing:
        raise UserError(
            f"the scene to start from does not hold {first_few(missing)}. Start from one of all views, or "
            "place these with `align.register_views`."
        )
    chosen = [position[view.name] for view in predictions.views]
    cameras = some_cameras(scene.cameras, chosen)
    depth = tuple(scene.views[k].depth for k in chosen)
    group = GroupPrediction(cameras, depth, tuple(scene.views[k].conf for k in chosen))
    return replace(predictions, cameras=cameras, camera_source="network", group=group)


def _dense(group: GroupPrediction, view: int, known: np.ndarray) -> DenseView:
    """Return a view's known pixels (H, W) bool in the world."""
    cameras, depth = group.cameras, group.depth[view]
    points = pointmap(depth, cameras.K[view], cameras.world_from_cam[view]).astype(float)
    points[~known] = np.nan
    return DenseView(
        torch.from_numpy(points),
        torch.from_numpy(np.where(known, depth.astype(float), np.nan)),
        torch.from_numpy(group.conf[view].astype(float)),
    )
