"""Where the descent starts (docs/sparse_alignment.md, "Camera parametrisation")."""

from __future__ import annotations

import torch
from torch import Tensor

from align.initial.spanning_tree import Tree
from align.measurements.known_cameras import Known
from align.sparse.camera_chain import CameraChain, Parameters, ancestor_table, log_deviation, start_from_poses
from align.sparse.low_rank import Basis, depth_basis
from align.sparse.options import SparseOptions
from align.sparse.problem import Problem, bounds

_FOCAL_LIMITS = (0.25, 10.0)  # of the image diagonal, as published


def start(
    problem: Problem, tree: Tree, options: SparseOptions, known: Known | None = None
) -> tuple[Parameters, CameraChain]:
    """Return the parameters at the start and what stays constant.

    Without known poses all views look at one pivot from the same side, each from its own median depth.
    """
    known = known or Known()
    focal, centre = _known_intrinsics(problem, known)
    depths = _known_depths(problem, known)
    valid = problem.anchor_valid.split(problem.anchor_start.diff().tolist())
    pivot_depth = torch.stack([depth[keep].median() for depth, keep in zip(depths, valid)])
    principal_point = centre / problem.size
    bases = _bases(
        problem, options, focal, centre, [depth / pivot for depth, pivot in zip(depths, pivot_depth)]
    )
    depth_params_of = (
        [depth / pivot for depth, pivot in zip(depths, pivot_depth)]
        if bases is None
        else [basis.coefficients for basis in bases]
    )
    depth_params = torch.cat(depth_params_of)
    camera, log_focal, principal_point = _cameras(problem, options, focal, principal_point)
    num_views = problem.num_views
    chain = CameraChain(
        tree=tree,
        ancestor=ancestor_table(tree, num_views).to(problem.pair.device),
        camera=camera,
        size=problem.size.to(depth_params.dtype),
        base_focal=focal,
        pivot_depth=pivot_depth,
        focal_limits=_focal_limits(problem) if options.intrinsics.limited else None,
        anchor_start=problem.anchor_start,
        anchor_view=problem.anchor_view,
        depth_start=bounds([len(part) for part in depth_params_of]).to(depth_params.device),
        depth_model=options.depth,
        basis=None if bases is None else padded_basis([basis.columns for basis in bases]),
    )
    parameters = Parameters(
        quat=depth_params.new_tensor([0.0, 0.0, 0.0, 1.0]).repeat(num_views, 1),
        t=depth_params.new_zeros(num_views, 3),
        log_scale=depth_params.new_zeros(num_views),
        log_focal=log_focal,
        principal_point=principal_point,
        depth_params=log_deviation(depth_params) if options.depth.exponential else depth_params,
    )
    if not known.cam_from_world:
        return parameters, chain
    poses = torch.stack([known.cam_from_world[view] for view in range(num_views)]).to(depth_params)
    return start_from_poses(parameters, chain, poses, torch.cat(depths), problem.anchor_valid)


def padded_basis(columns: list[Tensor]) -> Tensor:
    """Return the bases (A_v, k_v) of all views in one zero-padded array (V, A_max, k_max)."""
    padded = columns[0].new_zeros(
        len(columns), max(len(part) for part in columns), max(part.shape[1] for part in columns)
    )
    for view, part in enumerate(columns):
        padded[view, : part.shape[0], : part.shape[1]] = part
    return padded


def _known_intrinsics(problem: Problem, known: Known) -> tuple[Tensor, Tensor]:
    """Return focals (V,) and principal points (V, 2) in pixels, known ones in the place of estimated ones."""
    focal, centre = problem.base_focal.clone(), problem.principal_point.clone()
    for view, K in known.K.items():
        K = K.to(focal)
        focal[view] = (K[0, 0] + K[1, 1]) / 2
        centre[view] = K[:2, 2]
    return focal, centre


def _known_depths(problem: Problem, known: Known) -> list[Tensor]:
    """Return every view's anchor depths (A_v,), known ones in the place of canonical ones."""
    depths = list(problem.anchor_depth.split(problem.anchor_start.diff().tolist()))
    for view, depth in known.anchor_depth.items():
        depth = depth.to(depths[view]).flatten()
        depths[view] = torch.where(torch.isfinite(depth), depth, depths[view])
    return depths


def _bases(
    problem: Problem, options: SparseOptions, focal: Tensor, centre: Tensor, depths: list[Tensor]
) -> list[Basis] | None:
    """Return every view's low-rank basis, made with the intrinsics at the start; none without that option."""
    if options.depth.low_rank is None:
        return None
    bases = []
    for view, depth in enumerate(depths):
        K = torch.eye(3).to(depth)
        K[0, 0] = K[1, 1] = focal[view]
        K[:2, 2] = centre[view]
        width, height = (problem.size[view] // options.subsample).tolist()
        bases.append(depth_basis(K, depth.reshape(height, width), options.subsample, options.depth.low_rank))
    return bases


def _cameras(
    problem: Problem, options: SparseOptions, focal: Tensor, principal_point: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the camera (V,) of every view, and log focals (C,) and principal points (C, 2) of the cameras.

    Shared intrinsics start at the mean over the views, weighted by their canonical confidence.
    """
    num_views = problem.num_views
    views = torch.arange(num_views, device=focal.device)
    if options.intrinsics.share == "none":
        return views, focal.log(), principal_point
    weight = problem.mean_conf / problem.mean_conf.sum()
    return (
        torch.zeros_like(views),
        (weight * focal).sum(0, keepdim=True).log(),
        (weight[:, None] * principal_point).sum(0, keepdim=True),
    )


def _focal_limits(problem: Problem) -> Tensor:
    """Return the least and the largest focal (2, V) in pixels."""
    diagonal = problem.size.to(problem.base_focal).norm(dim=1)
    return torch.stack([factor * diagonal for factor in _FOCAL_LIMITS])
