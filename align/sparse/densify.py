"""A point for every pixel (docs/sparse_alignment.md, "Dense points")."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from align.depth_maps.dense_view import DenseView
from align.measurements.anchors import spread_blocks
from align.measurements.canonical import CanonicalView
from align.pinhole import backproject
from align.sparse.camera_chain import CameraChain, Placement


def densify(views: Sequence[CanonicalView], placement: Placement, chain: CameraChain) -> list[DenseView]:
    """Return every view's points: depths follow the anchors' by the canonical ratios, at the solver's own
    base focals.
    """
    depths = placement.anchor_depth.split(chain.anchor_start.diff().tolist())
    return [
        densify_view(view, placement.K[v], placement.world_from_cam[v], depths[v], chain.base_focal[v])
        for v, view in enumerate(views)
    ]


def densify_view(
    view: CanonicalView, K: Tensor, world_from_cam: Tensor, anchor_depth: Tensor, base_focal: Tensor
) -> DenseView:
    """Return the points of one view with anchor depths (h w,), in the way of the anchored points."""
    width, height = view.size
    focal_ratio = base_focal / K[0, 0]
    blocks = spread_blocks(
        anchor_depth.reshape(height // view.subsample, width // view.subsample), view.subsample
    )
    depth = torch.where(view.valid, blocks * (1 + (view.depth_ratio - 1) * focal_ratio), torch.nan)
    return DenseView(backproject(depth, K, world_from_cam), depth, view.conf)
