"""Dense problems whose pairs agree exactly: every view has a depth map, and pairs see its points in their own
scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import roma
import torch
from torch import Tensor

from align.dense.problem import DenseProblem, DirectedPair
from align.pinhole import backproject, in_camera

SIZES = ((24, 32), (32, 24), (20, 32), (24, 32))
COMPLETE = tuple((i, j) for i in range(4) for j in range(4) if i != j)


@dataclass(frozen=True)
class Truth:
    """Cameras and depths of the views."""

    world_from_cam: Tensor  # (V, 4, 4)
    focals: Tensor  # (V,)
    depth: list[Tensor]


def seen(
    sizes: Sequence[tuple[int, int]] = SIZES, edges: Sequence[tuple[int, int]] = COMPLETE, seed: int = 0
) -> tuple[DenseProblem, Truth]:
    """Return a problem in single precision, and its truth."""
    generator = torch.Generator().manual_seed(seed)
    focals = torch.tensor([1.1 + 0.1 * k for k in range(len(sizes))]) * torch.tensor(
        [float(max(size)) for size in sizes]
    )
    depth = [4 + torch.randn(size, generator=generator).cumsum(1) / 5 for size in sizes]
    depth = [each.clamp(min=1) for each in depth]
    turns = 0.3 * torch.randn(len(sizes), 3, generator=generator)
    poses = torch.eye(4).repeat(len(sizes), 1, 1)
    poses[:, :3, :3] = roma.rotvec_to_rotmat(turns)
    poses[:, :3, 3] = torch.randn(len(sizes), 3, generator=generator)
    truth = Truth(poses, focals, depth)
    points = [backproject(depth[k], K, poses[k]) for k, K in enumerate(intrinsics(truth, sizes))]
    pairs = []
    for i, j in edges:
        cam_from_world, scale = torch.linalg.inv(poses[i]), 0.5 + torch.rand((), generator=generator)
        confidences = [5 + torch.rand(sizes[view], generator=generator) for view in (i, j)]
        pairs.append(
            DirectedPair(*(scale * in_camera(points[view], cam_from_world) for view in (i, j)), *confidences)
        )
    names = tuple(f"photo{k}.jpg" for k in range(len(sizes)))
    return DenseProblem(tuple(sizes), tuple(edges), pairs, names), truth


def intrinsics(truth: Truth, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
    return [
        torch.tensor([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1]])
        for f, (height, width) in zip(truth.focals.tolist(), sizes)
    ]


def masked(problem: DenseProblem, masks: Sequence[Tensor], junk: float = 0.0) -> DenseProblem:
    """Return the problem with what lies outside the masks (H, W) absent, and its points set to junk."""

    def cut(points: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask[..., None], points, junk)

    pairs = [
        replace(
            pair,
            points_i=cut(pair.points_i, masks[i]),
            points_j=cut(pair.points_j, masks[j]),
            conf_i=torch.where(masks[i], pair.conf_i, 0),
            conf_j=torch.where(masks[j], pair.conf_j, 0),
        )
        for (i, j), pair in zip(problem.edges, problem.pairs)
    ]
    return replace(problem, pairs=pairs)


def discs(sizes: Sequence[tuple[int, int]] = SIZES) -> list[Tensor]:
    """Return masks with a disc in the middle."""
    result = []
    for height, width in sizes:
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        result.append((y - height / 2).square() + (x - width / 2).square() < (min(height, width) * 0.4) ** 2)
    return result
