"""The dense aligner's descent as one would write it down: a loop over pairs, gradients by autograd."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import adaptor_factors, intrinsics, pair_similarities, scale_is_normalised, view_poses
from align.dense.problem import DenseProblem
from align.dense.terms import CONF_TRANSFORMS
from align.pinhole import backproject
from align.solver.adam import learning_rate


@dataclass(frozen=True, slots=True)
class PlainSide:
    """What a pair says of one of its views."""

    view: int
    points: Tensor  # (H, W, 3)
    weight: Tensor  # (H, W)
    num_present: int


@dataclass(frozen=True, slots=True)
class PlainPair:
    """A directed pair."""

    first: PlainSide
    second: PlainSide


def plain_pairs(problem: DenseProblem, options: DenseOptions, dtype: torch.dtype) -> list[PlainPair]:
    """Return all pairs with their weights, in memory as they were published: in the precision of the sums."""
    return [
        PlainPair(
            _side(i, pair.points_i, pair.conf_i, options, dtype),
            _side(j, pair.points_j, pair.conf_j, options, dtype),
        )
        for (i, j), pair in zip(problem.edges, problem.pairs)
    ]


def _side(view: int, points: Tensor, conf: Tensor, options: DenseOptions, dtype: torch.dtype) -> PlainSide:
    conf = conf.to(dtype)
    weight = torch.where(conf == 0, 0, CONF_TRANSFORMS[options.conf_transform](conf))
    return PlainSide(view, points.to(dtype), weight, int((conf != 0).sum()))


def plain_loss(
    pairs: list[PlainPair],
    parameters: DenseParameters,
    sizes: tuple[tuple[int, int], ...],
    options: DenseOptions,
    frozen: Frozen,
) -> Tensor:
    """Return the loss, with its graph."""
    K, poses = intrinsics(parameters, sizes, options), view_poses(parameters.poses)
    world = [backproject(depth.exp(), K[k], poses[k]) for k, depth in enumerate(parameters.log_depth)]
    normalised = scale_is_normalised(frozen)
    similarities = pair_similarities(parameters.pair_poses, options, normalised)
    adaptors = adaptor_factors(parameters.pair_adaptors, options, normalised)
    loss = similarities.new_zeros(())
    counts = [
        max(sum(side.num_present for side in sides), 1)
        for sides in ([pair.first for pair in pairs], [pair.second for pair in pairs])
    ]
    for pair, similarity, adaptor in zip(pairs, similarities, adaptors):
        for side, count in zip((pair.first, pair.second), counts):
            moved = (adaptor * side.points) @ similarity[:3, :3].T + similarity[:3, 3]
            difference = world[side.view] - moved
            distance = difference.norm(dim=-1) if options.distance == "l1" else difference.square().sum(-1)
            total = (side.weight * distance).sum()
            loss = loss + total / (
                count if options.mean == "pixels" else len(pairs) * max(side.num_present, 1)
            )
    return loss


def plain_descent(
    pairs: list[PlainPair],
    start: DenseParameters,
    sizes: tuple[tuple[int, int], ...],
    options: DenseOptions,
    frozen: Frozen,
) -> Iterator[tuple[float, DenseParameters]]:
    """Yield the loss before every step and the parameters after it."""
    names = [field.name for field in fields(start) if field.name != "log_depth"]
    held = {"pair_adaptors": not options.adaptors, "principal_points": not options.free_principal_point}
    shared = {name: getattr(start, name).clone().requires_grad_(not held.get(name, False)) for name in names}
    depths = [depth.clone().requires_grad_() for depth in start.log_depth]
    parameters = DenseParameters(log_depth=tuple(depths), **shared)
    free = [leaf for leaf in (*shared.values(), *depths) if leaf.requires_grad]
    adam = torch.optim.Adam(free, lr=options.learning_rate, betas=(0.9, 0.9))
    for step in range(options.num_iterations):
        for group in adam.param_groups:
            group["lr"] = learning_rate(
                options.schedule,
                options.learning_rate,
                options.least_learning_rate,
                step / options.num_iterations,
            )
        adam.zero_grad()
        loss = plain_loss(pairs, parameters, sizes, options, frozen)
        loss.backward()
        adam.step()
        yield float(loss.detach()), parameters
