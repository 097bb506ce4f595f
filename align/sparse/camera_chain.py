"""From parameters to cameras and anchor depths, and back
(docs/sparse_alignment.md, "Camera parametrisation").

Every view turns about its pivot, the point at its median depth behind the image centre; poses are chained
along a tree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import roma
import torch
from torch import Tensor

from align.initial.spanning_tree import Tree
from align.pinhole import rays
from align.sparse.options import DepthModel
from align.sparse.problem import Problem


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the solver moves."""

    quat: Tensor  # (V, 4), (x, y, z, w), need not have unit length
    t: Tensor  # (V, 3), from the parent's pivot frame
    log_scale: Tensor  # (V,)
    log_focal: Tensor  # (C,), one a camera
    principal_point: Tensor  # (C, 2), principal point over the image size
    depth_params: Tensor  # (S,), depth deviations of the anchors or their coefficients, view after view


@dataclass(frozen=True, slots=True)
class CameraChain:
    """What stays constant while the solver moves the parameters."""

    tree: Tree
    ancestor: Tensor  # (L, V + 1) int
    """Ancestor 1, 2, 4, ... levels up; V stands for "above the root"."""
    camera: Tensor  # (V,) int, into the C cameras
    size: Tensor  # (V, 2), (width, height)
    base_focal: Tensor  # (V,)
    pivot_depth: Tensor  # (V,)
    focal_limits: Tensor | None  # (2, V), pixels
    anchor_start: Tensor  # (V + 1,) int
    anchor_view: Tensor  # (A,) int
    depth_start: Tensor  # (V + 1,) int
    """Parameters of view v's depths are core_start[v] to core_start[v + 1]."""
    depth_model: DepthModel
    basis: Tensor | None = None  # (V, A_max, k_max), zero-padded


@dataclass(frozen=True, slots=True)
class Placement:
    """Cameras and depths in the world; a state of the solver."""

    K: Tensor  # (V, 3, 3)
    R_world_from_cam: Tensor  # (V, 3, 3)
    centre: Tensor  # (V, 3), world
    depth_scale: Tensor  # (V,)
    """Scale of every view in the world times its pivot depth."""
    depth_shape: Tensor  # (A,)
    """Depth of every anchor in units of its view's scale."""
    anchor_view: Tensor  # (A,) int

    @property
    def anchor_depth(self) -> Tensor:
        """(A,) depth of every anchor in the world's unit."""
        return self.depth_scale[self.anchor_view] * self.depth_shape

    @property
    def world_from_cam(self) -> Tensor:
        """(V, 4, 4)."""
        return _homogeneous(self.R_world_from_cam, self.centre)

    @property
    def cam_from_world(self) -> Tensor:
        """(V, 4, 4)."""
        R = self.R_world_from_cam.mT
        return _homogeneous(R, -(R @ self.centre[..., None])[..., 0])


def _homogeneous(R: Tensor, t: Tensor) -> Tensor:
    """Return the rigid transforms (V, 4, 4) of rotations (V, 3, 3) and translations (V, 3)."""
    bottom = R.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(len(R), 1, 4)
    return torch.cat([torch.cat([R, t[..., None]], 2), bottom], 1)


def ancestor_table(tree: Tree, num_views: int) -> Tensor:
    """Return the ancestors (L, V + 1) of every view 1, 2, 4, ... levels up, until all are above the root."""
    above = torch.full((num_views + 1,), num_views)
    for parent, child in tree.edges:
        above[child] = parent
    table = [above]
    while bool((table[-1] != num_views).any()):
        table.append(table[-1][table[-1]])
    return torch.stack(table)


def place(parameters: Parameters, chain: CameraChain) -> Placement:
    """Return cameras and depths of the parameters; differentiable."""
    K, focal, offset = _intrinsics(parameters, chain)
    scale = parameters.log_scale.exp()
    # amin shares its gradient among ties: at the start all scales are equal, and a single winner would be
    # pushed alone.
    depth_scale = scale / scale.amin() * chain.pivot_depth
    stretch = focal / chain.base_focal
    R, pivot = _chained(parameters, chain)
    pivot_in_cam = (
        torch.cat([offset, torch.ones_like(offset[:, :1])], 1)
        * (scale * chain.pivot_depth * stretch)[:, None]
    )
    centre = (pivot - (R @ pivot_in_cam[..., None])[..., 0]) / scale.amin()
    return Placement(
        K, R, centre, depth_scale, _depth_shape(parameters.depth_params, stretch, chain), chain.anchor_view
    )


def _intrinsics(parameters: Parameters, chain: CameraChain) -> tuple[Tensor, Tensor, Tensor]:
    """Return K (V, 3, 3), focals (V,) and the direction (V, 2) of the image centre at depth 1."""
    focal = parameters.log_focal.exp()[chain.camera]
    if chain.focal_limits is not None:
        focal = focal.clamp(chain.focal_limits[0], chain.focal_limits[1])
    principal_point = parameters.principal_point[chain.camera]
    centre = principal_point * chain.size
    zero, one = torch.zeros_like(focal), torch.ones_like(focal)
    K = torch.stack([focal, zero, centre[:, 0], zero, focal, centre[:, 1], zero, zero, one], 1).reshape(
        -1, 3, 3
    )
    return K, focal, chain.size / focal[:, None] * (0.5 - principal_point)


def _chained(parameters: Parameters, chain: CameraChain) -> tuple[Tensor, Tensor]:
    """Return rotations (V, 3, 3) and positions (V, 3) of the pivots, composed along the tree in log2(depth)
    batched products.
    """
    unit = parameters.quat / parameters.quat.norm(dim=1, keepdim=True)
    # One more row stands above the root: the identity, its own ancestor.
    R = torch.cat([roma.unitquat_to_rotmat(unit), torch.eye(3).to(unit)[None]])
    t = torch.cat([parameters.t, parameters.t.new_zeros(1, 3)])
    # Pointer doubling: after k rounds every view stands in the frame of its ancestor 2^k levels up, so a
    # chain of 300 views takes nine batched products instead of 300 small ones.
    for above in chain.ancestor[:-1]:
        R_above = R.index_select(0, above)
        t = (R_above @ t[..., None])[..., 0] + t.index_select(0, above)
        R = R_above @ R
    return R[:-1], t[:-1]


def _depth_shape(depth_params: Tensor, stretch: Tensor, chain: CameraChain) -> Tensor:
    """Return the depth (A,) of every anchor over its view's scale; `stretch` (V,) is focal over base
    focal.
    """
    deviation = depth_params.exp() if chain.depth_model.exponential else depth_params
    if chain.basis is not None:
        num_anchors, num_params = chain.anchor_start.diff(), chain.depth_start.diff()
        padded = deviation.new_zeros(chain.basis.shape[0], chain.basis.shape[2])
        padded[_ragged(num_params)] = deviation
        deviation = (chain.basis @ padded[..., None])[..., 0][_ragged(num_anchors)]
    along = stretch[chain.anchor_view]
    return along + (deviation - 1) if chain.depth_model.combine == "add" else along * deviation


def _ragged(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return row and column of every element of ranges that lie in the rows of a padded array."""
    row = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
    start = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)[:-1]])
    return row, torch.arange(len(row), device=lengths.device) - start[row]


def anchored_points(placement: Placement, chain: CameraChain, problem: Problem) -> Tensor:
    """Return the world points (N, 3) of the problem's anchored points."""
    xy, view = problem.point_xy, problem.point_view
    return lifted_points(
        placement, chain, view, xy, placement.anchor_depth[problem.point_anchor], problem.point_ratio
    )[0]


def lifted_points(
    placement: Placement,
    chain: CameraChain,
    view: Tensor,  # (N,) int
    xy: Tensor,  # (N, 2), pixels
    anchor_depth: Tensor,  # (N,), of each point's anchor
    ratio: Tensor,  # (N,)
) -> tuple[Tensor, Tensor]:
    """Return world points (N, 3) and depths (N,) of pixels that hang on anchors.

    A ratio was measured with the base focal; with a longer focal the same relief is flatter.
    """
    K = placement.K[view]
    depth = anchor_depth * (1 + (ratio - 1) * (chain.base_focal[view] / K[:, 0, 0]))
    points = rays(xy, K[:, 0, 0, None], K[:, :2, 2]) * depth[:, None]
    return (placement.R_world_from_cam[view] @ points[..., None])[..., 0] + placement.centre[view], depth


def start_from_poses(
    parameters: Parameters,
    chain: CameraChain,
    cam_from_world: Tensor,
    anchor_depth: Tensor,
    anchor_valid: Tensor,
) -> tuple[Parameters, CameraChain]:
    """Return parameters and a chain that place the cameras exactly at `cam_from_world` (V, 4, 4) with the
    known anchor depths (A,).

    Intrinsics are kept. Every view pivots on the median of its known depths where `anchor_valid`, all scales
    are 1. The depths are reproduced exactly except in a low-rank basis, where they are fitted.
    """
    depth_per_view = [
        depth[keep] for depth, keep in zip(_by_view(anchor_depth, chain), _by_view(anchor_valid, chain))
    ]
    pivot_depth = torch.stack([depth.median() for depth in depth_per_view])
    chain = replace(chain, pivot_depth=pivot_depth)
    _, focal, offset = _intrinsics(parameters, chain)
    R = cam_from_world[:, :3, :3].mT
    centre = -(R @ cam_from_world[:, :3, 3:])[..., 0]
    stretch = focal / chain.base_focal
    to_pivot = torch.cat([offset, torch.ones_like(offset[:, :1])], 1) * (pivot_depth * stretch)[:, None]
    pivot = centre + (R @ to_pivot[..., None])[..., 0]
    parent = torch.arange(len(R), device=R.device)
    for above, child in chain.tree.edges:
        parent[child] = above
    R_parent, is_root = R[parent], (parent == torch.arange(len(R), device=R.device))[:, None]
    R_relative = torch.where(is_root[..., None], R, R_parent.mT @ R)
    t = torch.where(is_root, pivot, (R_parent.mT @ (pivot - pivot[parent])[..., None])[..., 0])
    along = stretch[chain.anchor_view]
    shape = anchor_depth / pivot_depth[chain.anchor_view]
    depth_params = _depth_params_of(
        1 + (shape - along) if chain.depth_model.combine == "add" else shape / along, chain
    )
    quat = roma.rotmat_to_unitquat(R_relative)
    return replace(
        parameters,
        quat=quat,
        t=t,
        log_scale=torch.zeros_like(parameters.log_scale),
        depth_params=depth_params,
    ), chain


def _depth_params_of(deviation: Tensor, chain: CameraChain) -> Tensor:
    """Return the depth parameters (S,) of deviations (A,)."""
    if chain.basis is not None:
        fits = [
            torch.linalg.pinv(basis[: len(values), :count]) @ values
            for basis, values, count in zip(
                chain.basis, _by_view(deviation, chain), chain.depth_start.diff().tolist()
            )
        ]
        deviation = torch.cat(fits)
    return log_deviation(deviation) if chain.depth_model.exponential else deviation


def log_deviation(deviation: Tensor) -> Tensor:
    """Return the logarithm of deviations, cut at 1e-4 as in the reference."""
    return deviation.clamp(min=1e-4).log()


def _by_view(values: Tensor, chain: CameraChain) -> tuple[Tensor, ...]:
    return values.split(chain.anchor_start.diff().tolist())
