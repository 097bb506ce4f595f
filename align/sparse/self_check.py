"""Whether a descent has moved cameras and depths away from their own matches."""

from __future__ import annotations

import torch
from torch import Tensor

from align.agreement import Agreement, agreement_of
from align.pinhole import project
from align.sparse.camera_chain import CameraChain, Placement, anchored_points
from align.sparse.problem import Problem

_LOST_SHARE = 0.05
"""A view whose share within two pixels falls by more has been moved away from its matches."""
_SAME_PX = 1e-3
"""Means that differ by less are equal: an exact start ends within rounding of itself."""
_BEHIND_PX = 1e3
"""What counts for a point behind the camera: far off, and finite."""


def self_check(problem: Problem, chain: CameraChain, placement: Placement) -> Agreement:
    """Return how well a placement explains all matches of the problem."""
    return agreement_of(*reprojection_errors(problem, chain, placement), problem.num_views)


def is_worse(after: Agreement, before: Agreement) -> bool:
    """Tell whether a placement explains the matches less well: on the whole, or those of any one view
    clearly.
    """
    losing = bool((before.view_near_share - after.view_near_share > _LOST_SHARE).any())
    return after.cut_mean_px > before.cut_mean_px + _SAME_PX or losing


def reprojection_errors(problem: Problem, chain: CameraChain, placement: Placement) -> tuple[Tensor, Tensor]:
    """Return the errors (2 M,) of every match's ends, each seen by the other end's view, and the view (2 M,)
    that owns the point.
    """
    points = anchored_points(placement, chain, problem)
    source, target = problem.match_points.flatten(), problem.match_points.flip(1).flatten()
    observer = problem.point_view[target]
    cam_from_world = placement.cam_from_world[observer]
    in_cam = (cam_from_world[:, :3, :3] @ points[source][..., None])[..., 0] + cam_from_world[:, :3, 3]
    error = (project(in_cam, placement.K[observer]) - problem.point_xy[target]).norm(dim=1)
    return torch.where(in_cam[:, 2] > 0, error, _BEHIND_PX), problem.point_view[source]
