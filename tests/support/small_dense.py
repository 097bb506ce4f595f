"""Small problems with random predictions: views of different sizes, some pixels absent."""

from __future__ import annotations

from dataclasses import replace

import roma
import torch

from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters
from align.dense.poses import focal_values, middles, pair_pose_values, pose_values, random_parameters
from align.dense.problem import DenseProblem, DirectedPair
from align.pinhole import backproject, in_camera

SIZES = ((4, 6), (5, 3), (6, 4))
EDGES = ((0, 1), (1, 0), (2, 1), (0, 2))


def random_problem(seed: int = 0, dtype: torch.dtype = torch.float64) -> DenseProblem:
    """Return a problem of three views. Some confidences lie below 1: their logarithm is negative."""
    generator = torch.Generator().manual_seed(seed)

    def side(view: int) -> tuple[torch.Tensor, torch.Tensor]:
        drawn = torch.randn((*SIZES[view], 5), generator=generator, dtype=dtype)
        conf = torch.where(drawn[..., 4] > -1, drawn[..., 3].exp() + 0.5, 0)
        return torch.where(conf[..., None] == 0, 0, drawn[..., :3]), conf

    pairs = []
    for i, j in EDGES:
        (points_i, conf_i), (points_j, conf_j) = side(i), side(j)
        pairs.append(DirectedPair(points_i, points_j, conf_i, conf_j))
    return DenseProblem(SIZES, EDGES, pairs)


def random_start(options: DenseOptions, dtype: torch.dtype = torch.float64) -> DenseParameters:
    """Return parameters for it, none of them 0."""
    drawn = random_parameters(SIZES, len(EDGES), options)
    generator = torch.Generator().manual_seed(options.seed)
    return DenseParameters(
        drawn.pair_poses.to(dtype),
        torch.randn(len(EDGES), 2, generator=generator).to(dtype),
        tuple(depth.to(dtype) for depth in drawn.log_depth),
        drawn.poses.to(dtype),
        (drawn.log_focals + torch.randn(drawn.log_focals.shape, generator=generator)).to(dtype),
        torch.randn(len(SIZES), 2, generator=generator).to(dtype),
    )


def consistent_problem(noise: float, seed: int = 0) -> tuple[DenseProblem, DenseParameters, DenseParameters]:
    """Return a problem of three views in single precision whose predictions agree but for noise (relative to
    the depth), its true parameters, and parameters near them.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(*size: int) -> torch.Tensor:
        return torch.randn(size, generator=generator)

    sizes, edges, options = ((12, 16), (15, 12), (12, 16)), ((0, 1), (1, 0), (1, 2), (2, 0)), DenseOptions()
    turns = torch.tensor([[0, -0.4, 0], [0.1, 0, 0.05], [0, 0.5, 0.1]])
    R = roma.rotvec_to_rotmat(turns)
    centres = -3 * R[:, :, 2]
    focal = torch.full((3, 1), 14.0)
    K = torch.zeros(3, 3, 3)
    K[:, 0, 0] = K[:, 1, 1] = focal[:, 0]
    K[:, :2, 2], K[:, 2, 2] = middles(sizes, K), 1
    world_from_cam = torch.eye(4).repeat(3, 1, 1)
    world_from_cam[:, :3, :3], world_from_cam[:, :3, 3] = R, centres
    depth = [3 + 0.3 * draw(*size) for size in sizes]
    points = [backproject(*each) for each in zip(depth, K, world_from_cam)]
    scale = (0.3 * draw(4)).exp()
    scale *= 0.5 / scale.log().mean().exp()
    pairs = []
    for (i, j), size in zip(edges, scale):
        own, other = (in_camera(points[k], world_from_cam[i].inverse()) / size for k in (i, j))
        own, other = (each * (1 + noise * draw(*each.shape)) for each in (own, other))
        confs = (1.5 + draw(*each.shape[:2]).abs() for each in (own, other))
        pairs.append(DirectedPair(own, other, *confs))
    first = [i for i, _ in edges]
    truth = DenseParameters(
        pair_pose_values(R[first], centres[first], scale),
        torch.zeros(4, 2),
        tuple(each.log() for each in depth),
        pose_values(R, centres),
        focal_values(focal, options),
        torch.zeros(3, 2),
    )
    near = replace(
        truth,
        pair_poses=truth.pair_poses + 0.05 * draw(4, 8),
        log_depth=tuple(each + 0.05 * draw(*each.shape) for each in truth.log_depth),
        poses=truth.poses + 0.05 * draw(3, 7),
        log_focals=truth.log_focals + draw(3, 1),
    )
    return DenseProblem(sizes, edges, pairs), truth, near
