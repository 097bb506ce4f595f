"""What a solver hands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from align.depth_maps.clean import CleanOptions, clean
from align.depth_maps.dense_view import DenseView
from align.scene import Report, Scene, SceneView
from masks.notice import Notice
from pairs.prediction.predictions import Predictions
from pairs.views.cameras import Cameras
from pairs.views.view import View, grid_mask


@dataclass(frozen=True, slots=True)
class Aligned:
    """Cameras and depth of all views in one world, and what the solver says of them."""

    cameras: Cameras
    """K in grid pixels."""
    dense: tuple[DenseView, ...]
    notices: tuple[Notice, ...]
    figures: Mapping[str, Any]
    """Numbers for the report, ready for JSON."""


def scene_of(
    predictions: Predictions, aligned: Aligned, notices: Sequence[Notice], clean_options: CleanOptions
) -> Scene:
    cameras = aligned.cameras
    dense = clean(
        aligned.dense, torch.from_numpy(cameras.K), torch.from_numpy(cameras.cam_from_world), clean_options
    )
    views = tuple(_scene_view(view, seen) for view, seen in zip(predictions.views, dense))
    report = Report((*notices, *aligned.notices), aligned.figures)
    return Scene(views, cameras, tuple(view.name for view in predictions.views), predictions.edges, report)


def _scene_view(view: View, seen: DenseView) -> SceneView:
    """Return a view as the scene keeps it. A pixel off the object, or without a depth in front of the camera,
    has neither depth nor confidence.
    """
    mask = grid_mask(view)
    height, width = mask.shape  # the solver's grid may have a margin that makes its blocks whole
    depth, conf = seen.depth[:height, :width], seen.conf[:height, :width]
    known = torch.from_numpy(mask) & (depth > 0)  # NaN is not
    depth, conf = (torch.where(known, x, 0).float().numpy() for x in (depth, conf))
    return SceneView(view.name, view.camera, view.pixel_map, depth, conf, view.image, mask)
