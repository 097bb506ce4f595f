"""A start from stated poses: canonical depths are brought to the unit of the poses by triangulating the matches."""

from __future__ import annotations

import torch
from torch import Tensor

from align.sparse.pair_poses import weighted_median
from align.sparse.problem import Problem
from align.sparse.tree_start import PosedViews


def posed_start(problem: Problem, K: Tensor, cam_from_world: Tensor) -> PosedViews:
    """Return the poses (V, 4, 4) with every view's size: the median ratio of triangulated to canonical depth over its matches.

    A match counts by the sine of the angle between its rays: nearly parallel ones say little of depth. A view whose matches say nothing gets
    the middle size of the others.
    """
    depth, weight = _triangulated(problem, K, cam_from_world)
    point = problem.match_points.flatten()
    canonical = problem.anchor_depth[problem.point_anchor[point]] * problem.point_ratio[point]
    view = problem.point_view[point]
    ratio = depth / canonical
    usable = torch.isfinite(ratio) & (ratio > 0)
    own = view == torch.arange(problem.num_views)[:, None]  # (V, 2 M)
    size = weighted_median(torch.where(usable, ratio, 0).expand_as(own), torch.where(own & usable, weight, 0))
    known = size > 0
    middle = size[known].median() if bool(known.any()) else size.new_ones(())
    return PosedViews(cam_from_world, torch.where(known, size, middle))


def _triangulated(problem: Problem, K: Tensor, cam_from_world: Tensor) -> tuple[Tensor, Tensor]:
    """Return for both ends of every match (2 M,) the depth along its own ray where the two rays come closest, and the sine of their angle."""
    R = cam_from_world[:, :3, :3].mT
    centre = -(R @ cam_from_world[:, :3, 3:])[..., 0]
    xy = torch.cat([problem.point_xy, torch.ones_like(problem.point_xy[:, :1])], 1)
    ray = (R[problem.point_view] @ torch.linalg.solve(K[problem.point_view], xy[..., None]))[..., 0]  # depth 1 along the optical axis
    a, b = problem.match_points.unbind(1)
    between = centre[problem.point_view[b]] - centre[problem.point_view[a]]
    u, v = ray[a], ray[b]
    uu, vv, uv = (u * u).sum(1), (v * v).sum(1), (u * v).sum(1)
    determinant = uu * vv - uv * uv
    depth_a = (vv * (u * between).sum(1) - uv * (v * between).sum(1)) / determinant
    depth_b = (uv * (u * between).sum(1) - uu * (v * between).sum(1)) / determinant
    sine = (determinant.clamp(min=0) / (uu * vv)).sqrt()
    return torch.stack([depth_a, depth_b], 1).flatten(), torch.stack([sine, sine], 1).flatten()
