"""What VGGT says of a scene, as a prediction of a whole group of views (docs/vggt.md, "Group pass")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from masks.errors import ReconstructionError
from masks.notice import Notice, warning
from pairs.networks.vggt.camera_head import decode_cameras
from pairs.networks.vggt.network import Dense, VggtOutput
from pairs.prediction.predictions import GroupPrediction
from pairs.views.cameras import Cameras
from pairs.views.view import View, grid_mask

_LEAST_FIELD, _MOST_FIELD = math.radians(2), math.radians(170)
"""Fields of view outside are no photographs: the network's rectifier gives 0 where it knows nothing."""


@dataclass(frozen=True, slots=True)
class GroupOptions:
    """How the network's numbers are read."""

    exact_centres: bool = False
    """Move the principal point by half a pixel to where the network's convention puts it when pixel centres
    lie at integers. The published code
    does not."""


def group_prediction(
    views: Sequence[View], output: VggtOutput, options: GroupOptions | None = None, scene: int = 0
) -> tuple[GroupPrediction, tuple[Notice, ...]]:
    """Return cameras, depth and confidence of the views of one scene of a batch, and notices about doubtful
    ones.

    The world is the camera of the first view; lengths are those of the network. Confidence is exactly 1
    outside masks and on padding, and wherever the depth is no positive number, which the median stands in
    for. Raises `ReconstructionError` when no view has a usable field of view or the network gave no pose for
    one.
    """
    if output.encodings is None or output.depth is None:
        raise ValueError("cameras and depth make a group: take a network with its camera and its depth head")
    cameras, notices = _cameras(views, output.encodings[-1][scene], output.size, options or GroupOptions())
    depths, confs = [], []
    for v, view in enumerate(views):
        depth, conf, broken = _maps(view, output.depth, scene, v)
        depths.append(depth)
        confs.append(conf)
        if broken:
            notices.append(
                warning(
                    view.name,
                    (
                        f"{broken} pixels have no usable depth: the median of the others stands there, "
                        "without confidence."
                    ),
                )
            )
    return GroupPrediction(cameras, tuple(depths), tuple(confs)), tuple(notices)


def _cameras(
    views: Sequence[View], encoding: Tensor, size: tuple[int, int], options: GroupOptions
) -> tuple[Cameras, list[Notice]]:
    """Return the cameras of encodings (S, 9)."""
    if encoding.shape != (len(views), 9):
        raise ValueError(f"{len(views)} views need encodings (S, 9): got {tuple(encoding.shape)}")
    # Float64 from here on: cameras are, and the decoding of float32 numbers loses nothing then.
    encoding = encoding.detach().double().cpu().clone()
    fields = encoding[:, 7:]
    usable = ((fields > _LEAST_FIELD) & (fields < _MOST_FIELD)).all(1)
    unplaced = [
        view.name
        for view, pose in zip(views, encoding)
        if not pose[:7].isfinite().all() or not pose[3:7].any()
    ]
    if unplaced or not usable.any():
        what = f"{unplaced[0]}: no camera pose" if unplaced else "no usable field of view for any photo"
        raise ReconstructionError(
            f"the network gave {what}. Check that its weights are complete, or run it in float32."
        )
    # Photos of one set mostly have one lens; no field of view at all would be an infinite focal.
    fields[~usable] = fields[usable].median(0).values
    notices = [
        warning(view.name, "the network gave no usable field of view: it has the median of the other photos.")
        for view, good in zip(views, usable)
        if not good
    ]
    pose, K = (found.numpy() for found in decode_cameras(encoding, size))
    if options.exact_centres:
        K[:, :2, 2] -= 0.5
    cam_from_world = np.tile(np.eye(4), (len(views), 1, 1))
    cam_from_world[:, :3] = pose
    return Cameras(K, cam_from_world), notices


def _maps(view: View, dense: Dense, scene: int, frame: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return depth and confidence (H, W) float32 of a view, and how many of its pixels inside the mask have
    no usable depth.
    """
    depth, conf = (_array(values[scene, frame]) for values in (dense.values[..., 0], dense.conf))
    inside = grid_mask(view)
    if depth.shape != inside.shape:
        raise ValueError(
            f"{view.name}: a depth map {depth.shape} does not fit the view's grid {inside.shape}: put the "
            "views on the network's grid"
        )
    good = np.isfinite(depth) & (depth > 0) & np.isfinite(conf)
    if not good.any():
        raise ReconstructionError(
            f"{view.name}: the network gave no depth at any pixel. Check that its weights are complete, or "
            "run it in float32."
        )
    # A positive number everywhere, since aligners divide by depth; what it is worth is told by the confidence
    # alone.
    depth = np.where(good, depth, np.median(depth[good])).astype(np.float32)
    conf = np.where(good & inside, np.maximum(conf, 1), 1).astype(np.float32)
    return depth, conf, int((inside & ~good).sum())


def _array(values: Tensor) -> np.ndarray:
    return values.detach().float().cpu().numpy()
