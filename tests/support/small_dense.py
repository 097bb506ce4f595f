"""Small problems with random predictions: views of different sizes, some pixels absent."""

from __future__ import annotations

import torch

from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters
from align.dense.poses import random_parameters
from align.dense.problem import DenseProblem, DirectedPair

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
