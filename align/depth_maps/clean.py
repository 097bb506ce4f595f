"""Lower the confidence of points that stand in front of what another view sees (the sparse aligner's specification, chapter 12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from align.sparse.densify import DenseView


def clean(
    dense: Sequence[DenseView],
    K: Tensor,  # (V, 3, 3)
    cam_from_world: Tensor,  # (V, 4, 4)
    tolerance: float = 0.001,
    bad_conf: float = 0.0,
) -> list[DenseView]:
    """Return the views with the confidence of contradicted points lowered to `bad_conf`.

    A point of view i is contradicted by view j when it lies more than `tolerance` (a share of the depth) in front of what j sees there
    with a higher confidence. Views are taken in order and confidences already lowered count as such, so the result depends on the order.
    Pixels without a point (NaN) neither contradict nor are contradicted. Time grows with the square of the number of views.
    """
    # Only pixels with a point are carried from view to view: of a masked photo that is a small part.
    held = [torch.isfinite(view.points).all(-1) for view in dense]
    points = [view.points[here] for view, here in zip(dense, held)]
    confs = [view.conf.clone() for view in dense]
    for i, here in enumerate(held):
        conf = confs[i][here]
        for j, other in enumerate(dense):
            if i == j:
                continue
            visible, pixel, z = seen_at(points[i], K[j], cam_from_world[j], (other.depth.shape[1], other.depth.shape[0]))
            in_front = z < (1 - tolerance) * other.depth.flatten()[pixel]
            bad = visible & in_front & (conf < confs[j].flatten()[pixel])
            conf = torch.where(bad, conf.clamp(max=bad_conf), conf)
        confs[i][here] = conf
    return [replace(view, conf=conf) for view, conf in zip(dense, confs)]


def seen_at(points: Tensor, K: Tensor, cam_from_world: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return which points (..., 3) of the world lie in front of a camera and inside its image, their flat pixels and their depths.

    The nearest pixel counts, halves go to the even one; pixels of points that aren't visible are 0.
    """
    in_cam = points @ cam_from_world[:3, :3].T + cam_from_world[:3, 3]
    z = in_cam[..., 2]
    pixel, inside = nearest_pixel(in_cam, K, size)
    visible = inside & (z > 0)
    return visible, torch.where(visible, pixel, 0), z


def nearest_pixel(in_cam: Tensor, K: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the flat pixels of points (..., 3) in the camera frame, 0 outside, and which lie inside the image of (width, height)."""
    width, height = size
    uv = (in_cam @ K.T)[..., :2] / in_cam[..., 2:]
    uv = uv.round()
    # Compared as real numbers: a NaN or a huge coordinate must not wrap around as an integer.
    inside = (uv[..., 0] >= 0) & (uv[..., 0] < width) & (uv[..., 1] >= 0) & (uv[..., 1] < height)
    x, y = torch.where(inside[..., None], uv, 0).long().unbind(-1)
    return y * width + x, inside
