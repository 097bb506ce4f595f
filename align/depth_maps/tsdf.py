"""Depths refined by a truncated signed distance that all views vote on
(docs/sparse_alignment.md, "Signed distance refinement").

For parity with the published refinement; no command uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from align.depth_maps.dense_view import DenseView
from align.pinhole import backproject, in_camera, nearest_pixel

_CHUNK = 1 << 20  # points asked about at once: bounds the memory


@dataclass(frozen=True, slots=True)
class Field:
    """What all views say about the distance of any point from the surface."""

    dense: Sequence[DenseView]
    K: Tensor  # (V, 3, 3)
    cam_from_world: Tensor  # (V, 4, 4)
    threshold: float
    """Distance behind the surface, in scene units, from which a view no longer says anything."""


def query(field: Field, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the signed distances (N,) of world points (N, 3), positive in front of the surface, and whether
    any view sees them.

    The mean over the views weighs by the exponential of the confidence. As in the reference, a point behind a
    camera counts by its mirrored projection. Points that nobody sees have distance 0.
    """
    total = torch.zeros_like(points[:, 0])
    weights = torch.zeros_like(total)
    for view, K, cam_from_world in zip(field.dense, field.K, field.cam_from_world):
        in_cam = in_camera(points, cam_from_world)
        pixel, inside = nearest_pixel(in_cam, K, (view.depth.shape[1], view.depth.shape[0]))
        distance = view.depth.flatten()[pixel] - in_cam[:, 2]
        seen = inside & (distance >= -field.threshold)
        weight = torch.where(seen, view.conf.flatten()[pixel].exp(), 0)
        total = total + torch.where(seen, weight * distance.clamp(min=-field.threshold), 0)
        weights = weights + weight
    valid = weights != 0
    return torch.where(valid, total / torch.where(valid, weights, 1), total), valid


def refine_depths(field: Field, noise: Sequence[Tensor], threshold: float | None = None) -> list[DenseView]:
    """Return the views with every depth moved to the sample with the least absolute distance.

    `noise` holds standard normal samples (H, W, S) a view. A sample is the depth plus (noise - 1) times
    `threshold` (the field's by default): a bias towards the camera that the reference has. All views are
    refined against the unrefined field. A pixel whose samples all lie at the truncation keeps its depth.
    """
    threshold = field.threshold if threshold is None else threshold
    world_from_cam = torch.linalg.inv(field.cam_from_world)
    refined = []
    for view, K, pose, samples in zip(field.dense, field.K, world_from_cam, noise):
        depth = _refined_depth(field, view.depth, K, pose, (samples.to(view.depth) - 1) * threshold)
        refined.append(replace(view, depth=depth, points=backproject(depth, K, pose)))
    return refined


def draw_noise(dense: Sequence[DenseView], num_samples: int = 1000, seed: int = 0) -> list[Tensor]:
    """Return standard normal samples (H, W, S) for every view, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(*view.depth.shape, num_samples, generator=generator, dtype=view.depth.dtype)
        for view in dense
    ]


def _refined_depth(field: Field, depth: Tensor, K: Tensor, world_from_cam: Tensor, offsets: Tensor) -> Tensor:
    """Return the depth (H, W) after a choice among depth + offsets (H, W, S)."""
    height, width, num_samples = offsets.shape
    candidates = depth[..., None] + offsets
    # One ray a pixel: a sample's point is the ray's unit-depth point times the sample.
    rays = backproject(torch.ones_like(depth), K, world_from_cam) - world_from_cam[:3, 3]
    points = (candidates[..., None] * rays[:, :, None] + world_from_cam[:3, 3]).reshape(-1, 3)
    answers = [query(field, part) for part in points.split(_CHUNK)]
    value = torch.cat([value for value, _ in answers]).abs()
    valid = torch.cat([valid for _, valid in answers])
    value = torch.where(valid, value, torch.inf).reshape(height, width, num_samples)
    best = value.argmin(-1, keepdim=True)
    moved = candidates.gather(-1, best)[..., 0]
    return torch.where((value == field.threshold).all(-1), depth, moved)
