"""A small exact scene: views on an arc that look at one bumpy surface, every match true."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from align.initial.spanning_tree import Tree
from align.measurements.canonical import CanonicalView, masked_canonical_view
from align.measurements.gather import sample_cross_pointmap
from align.measurements.gathered import PairRecord
from align.sparse.camera_chain import CameraChain, Parameters
from align.sparse.condense import condense
from align.sparse.options import ALIGNER_FUNCTION, SparseOptions
from align.sparse.problem import Problem
from align.sparse.start import start

WIDTH, HEIGHT, FOCAL = 48, 32, 50.0
VIEWS = 5
CHAIN = Tree(2, ((2, 1), (1, 0), (2, 3), (3, 4)))


def intrinsics() -> Tensor:
    return torch.tensor([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]], dtype=torch.float64)


def cam_from_world(num_views: int) -> Tensor:
    """Return cameras (V, 4, 4) four units from the origin, ten degrees apart."""
    poses = torch.eye(4, dtype=torch.float64).repeat(num_views, 1, 1)
    for view in range(num_views):
        angle = math.radians(10 * (view - (num_views - 1) / 2))
        poses[view, :3, :3] = torch.tensor(
            [[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]]
        )
        poses[view, 2, 3] = 4
    return poses


def depth_map(pose: Tensor) -> Tensor:
    """Return the depth (H, W) of the surface z = bump(x, y) of the world, by fixed-point iteration."""
    y, x = torch.meshgrid(torch.arange(HEIGHT).double(), torch.arange(WIDTH).double(), indexing="ij")
    rays = (
        torch.stack([(x - WIDTH / 2) / FOCAL, (y - HEIGHT / 2) / FOCAL, torch.ones_like(x)], -1)
        @ pose[:3, :3]
    )
    centre = -pose[:3, :3].T @ pose[:3, 3]
    depth = torch.full_like(x, 4.0)
    for _ in range(60):
        world = centre + depth[..., None] * rays
        depth = (_bump(world) - centre[2]) / rays[..., 2]
    return depth


def _bump(world: Tensor) -> Tensor:
    return 0.2 * torch.sin(1.7 * world[..., 0]) * torch.cos(1.3 * world[..., 1])


def points_in(pose: Tensor, of: Tensor, depth: Tensor) -> Tensor:
    """Return the pixels (H, W, 3) of camera `of` in the frame of camera `pose`."""
    y, x = torch.meshgrid(torch.arange(HEIGHT).double(), torch.arange(WIDTH).double(), indexing="ij")
    own = (
        torch.stack([(x - WIDTH / 2) / FOCAL, (y - HEIGHT / 2) / FOCAL, torch.ones_like(x)], -1)
        * depth[..., None]
    )
    move = pose @ torch.linalg.inv(of)
    return own @ move[:3, :3].T + move[:3, 3]


def pair_record(poses: Tensor, depths: list[Tensor], a: int, b: int, count: int = 1) -> PairRecord:
    """Return exact matches of random pixels of a, at positions between pixels of b."""
    generator = torch.Generator().manual_seed(1000 * a + b)
    xy_a = torch.stack(
        [
            torch.randint(0, WIDTH, (300,), generator=generator),
            torch.randint(0, HEIGHT, (300,), generator=generator),
        ],
        1,
    )
    seen = points_in(poses[b], poses[a], depths[a])[xy_a[:, 1], xy_a[:, 0]]
    xy_b = FOCAL * seen[:, :2] / seen[:, 2:] + torch.tensor([WIDTH / 2, HEIGHT / 2])
    inside = ((xy_b >= 0) & (xy_b <= torch.tensor([WIDTH - 1, HEIGHT - 1]))).all(1)
    conf = 1 + torch.rand(300, generator=generator, dtype=torch.float64) * 20
    one = torch.full((HEIGHT, WIDTH), 3.0, dtype=torch.float64)
    b_in_a = sample_cross_pointmap(points_in(poses[a], poses[b], depths[b]), one, 8)
    a_in_b = sample_cross_pointmap(points_in(poses[b], poses[a], depths[a]), one, 8)
    return PairRecord(a, b, xy_a[inside].double(), xy_b[inside], conf[inside], b_in_a, a_in_b, count)


def small_problem(
    num_views: int = 4, count: int = 1, mask: Tensor | None = None
) -> tuple[list[CanonicalView], Problem, Tensor]:
    """Return canonical views, the problem of all pairs, and the true cameras."""
    poses = cam_from_world(num_views)
    depths = [depth_map(pose) for pose in poses]
    mask = torch.ones(HEIGHT, WIDTH, dtype=torch.bool) if mask is None else mask
    principal_point = torch.tensor([WIDTH / 2, HEIGHT / 2], dtype=torch.float64)
    conf = torch.full((1, HEIGHT, WIDTH), 3.0, dtype=torch.float64)
    views = [
        masked_canonical_view(points_in(pose, pose, depth)[None], conf, mask, principal_point)
        for pose, depth in zip(poses, depths)
    ]
    records = [pair_record(poses, depths, a, b, count) for b in range(num_views) for a in range(b)]
    return views, condense(views, records), poses


def random_state(
    problem: Problem, seed: int, options: SparseOptions = ALIGNER_FUNCTION
) -> tuple[Parameters, CameraChain]:
    """Return parameters far from the start, with quaternions of any length."""
    generator = torch.Generator().manual_seed(seed)

    def noise(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator, dtype=torch.float64)

    parameters, chain = start(problem, CHAIN, options)
    parameters = replace(
        parameters,
        quat=noise(parameters.quat),
        t=noise(parameters.t),
        log_scale=0.3 * noise(parameters.log_scale),
        log_focal=parameters.log_focal + 0.1 * noise(parameters.log_focal),
        principal_point=parameters.principal_point + 0.02 * noise(parameters.principal_point),
        depth_params=parameters.depth_params * (1 + 0.05 * noise(parameters.depth_params)),
    )
    return parameters, chain
