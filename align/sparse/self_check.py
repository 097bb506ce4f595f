"""How well a placement explains its own matches, without any truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from align.sparse.camera_chain import CameraChain, Placement, anchored_points
from align.sparse.problem import Problem

_NEAR_PX = 2.0
_LOST_SHARE = 0.05
"""A view whose share within two pixels falls by more has been moved away from its matches."""
_SAME_PX = 1e-3
"""Means that differ by less are equal: an exact start ends within rounding of itself."""
_BEHIND_PX = 1e3
"""What counts for a point behind the camera: far off, and finite."""


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """Reprojection errors over all matches in both directions, in pixels of the grid."""

    median_px: float
    cut_mean_px: float
    """Mean of the errors, each cut at two pixels: wrong matches, which no placement explains, have no say in
    it."""
    near_share: float
    """Share within two pixels."""
    view_near_share: tuple[float, ...]
    """The same for each view: of its own points, seen by the others. NaN for a view without matches."""


def self_check(problem: Problem, chain: CameraChain, placement: Placement) -> SelfCheck:
    """Measure a placement. Without matches every figure is NaN."""
    error, view = reprojection_errors(problem, chain, placement)
    if len(error) == 0:
        return SelfCheck(torch.nan, torch.nan, torch.nan, (torch.nan,) * problem.num_views)
    near = (error < _NEAR_PX).to(error)
    total = torch.zeros(problem.num_views).to(error).index_add_(0, view, near)
    count = torch.bincount(view, minlength=problem.num_views)
    return SelfCheck(
        float(error.median()),
        float(error.clamp(max=_NEAR_PX).mean()),
        float(near.mean()),
        tuple((total / count).tolist()),
    )


def is_worse(after: SelfCheck, before: SelfCheck) -> bool:
    """Tell whether a placement explains the matches less well: on the whole, or those of any one view
    clearly.
    """
    losing = any(b - a > _LOST_SHARE for a, b in zip(after.view_near_share, before.view_near_share))
    return after.cut_mean_px > before.cut_mean_px + _SAME_PX or losing


def reprojection_errors(problem: Problem, chain: CameraChain, placement: Placement) -> tuple[Tensor, Tensor]:
    """Return the errors (2 M,) of every match's ends, each seen by the other end's view, and the view (2 M,)
    that owns the point.
    """
    points = anchored_points(placement, chain, problem)
    source = problem.match_points.flatten()
    seen_at = problem.match_points.flip(1).flatten()
    observer = problem.point_view[seen_at]
    cam = placement.cam_from_world[observer]
    X = (cam[:, :3, :3] @ points[source][..., None])[..., 0] + cam[:, :3, 3]
    K = placement.K[observer]
    xy = torch.stack([K[:, 0, 0] * X[:, 0], K[:, 1, 1] * X[:, 1]], 1) / X[:, 2:] + K[:, :2, 2]
    error = (xy - problem.point_xy[seen_at]).norm(dim=1)
    return torch.where(X[:, 2] > 0, error, _BEHIND_PX), problem.point_view[source]
