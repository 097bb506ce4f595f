"""A scene from a group of views that needs no alignment: cameras as they were predicted, points from depth
and cameras.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from align.depth_maps.clean import clean
from align.depth_maps.dense_view import DenseView
from align.scene import Report, Scene, SceneView
from masks.errors import ReconstructionError
from masks.notice import Notice, left_out
from masks.progress import Progress, silent
from pairs.prediction.from_group import pointmap
from pairs.prediction.predictions import GroupPrediction, Predictions
from pairs.views.cameras import Cameras
from pairs.views.view import View, grid_mask

CLEAN_TOLERANCE = 0.01
"""A point is in front of another view's surface when it is nearer by more than this share of the depth."""


def group_scene(
    predictions: Predictions, progress: Progress = silent, clean_tolerance: float = CLEAN_TOLERANCE
) -> Scene:
    """Return the scene of predictions of a whole group.

    A pixel off the object, or one that the network is not sure of at all, has neither depth nor confidence;
    confidence is taken from points that stand before what another view sees more surely. Views without any
    such pixel are left out by name. Raises `ReconstructionError` when none is left.
    """
    if predictions.group is None:
        raise ValueError("these predictions are of pairs: align them")
    seen = [_known(view, predictions.group, k) for k, view in enumerate(predictions.views)]
    kept = [k for k, pixels in enumerate(seen) if pixels.known.any()]
    notices = (
        *predictions.notices,
        *_without_depth([view.name for k, view in enumerate(predictions.views) if k not in kept]),
    )
    if not kept:
        raise ReconstructionError(
            "no photo has a pixel of the object with a depth. Check the masks, and the weights of the "
            "network."
        )
    cameras = Cameras(predictions.group.cameras.K[kept], predictions.group.cameras.cam_from_world[kept])
    progress("cleaning", 0, 1)
    dense = [_dense(seen[k], cameras, place) for place, k in enumerate(kept)]
    cleaned = clean(
        dense, torch.from_numpy(cameras.K), torch.from_numpy(cameras.cam_from_world), clean_tolerance
    )
    views = tuple(
        _scene_view(predictions.views[k], seen[k], view.conf.numpy()) for k, view in zip(kept, cleaned)
    )
    return Scene(views, cameras, tuple(view.name for view in predictions.views), (), Report(notices))


@dataclass(frozen=True, slots=True)
class _Pixels:
    """What is known of a view's pixels."""

    depth: np.ndarray  # (H, W)
    conf: np.ndarray  # (H, W)
    known: np.ndarray  # (H, W) bool
    mask: np.ndarray  # (H, W) bool


def _known(view: View, group: GroupPrediction, index: int) -> _Pixels:
    """Return a view's maps. Confidence is exactly 1 where a mask, or the lack of a usable depth, says that
    nothing is known.
    """
    mask = grid_mask(view)
    return _Pixels(group.depth[index], group.conf[index], mask & (group.conf[index] > 1), mask)


def _without_depth(names: list[str]) -> list[Notice]:
    return [left_out(name, "none of its pixels on the object has a depth. Check its mask.") for name in names]


def _dense(pixels: _Pixels, cameras: Cameras, place: int) -> DenseView:
    points = pointmap(pixels.depth, cameras.K[place], cameras.world_from_cam[place]).astype(float)
    points[~pixels.known] = np.nan
    depth = np.where(pixels.known, pixels.depth.astype(float), np.nan)
    return DenseView(
        torch.from_numpy(points), torch.from_numpy(depth), torch.from_numpy(pixels.conf.astype(float))
    )


def _scene_view(view: View, pixels: _Pixels, conf: np.ndarray) -> SceneView:
    depth, conf = (np.where(pixels.known, values, 0).astype(np.float32) for values in (pixels.depth, conf))
    return SceneView(view.name, view.camera, view.pixel_map, depth, conf, view.image, pixels.mask)
