"""First values of the dense aligner's unknowns (docs/dense_alignment.md, "Start")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from align.dense.initial.registration import (
    UNMOVED,
    Similarity,
    after,
    move_camera,
    register_cameras,
    similarity,
)
from align.dense.initial.spanning_tree import (
    PlacedMap,
    TreeWorld,
    complete_world,
    grow_world,
    pair_scores,
    register_pairs,
)
from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import (
    focal_values,
    pair_pose_values,
    pose_values,
    principal_points,
    scale_is_normalised,
    view_poses,
)
from align.dense.problem import DenseProblem
from align.pinhole import in_camera
from masks.notice import Notice, first_few, warning


@dataclass(frozen=True, slots=True)
class DenseStart:
    """Where the descent begins, and what the report says of it."""

    parameters: DenseParameters
    notices: tuple[Notice, ...] = ()


def start_from_tree(
    problem: DenseProblem, options: DenseOptions, given: DenseParameters, frozen: Frozen
) -> DenseStart:
    """Return the start from the spanning tree of the most confident pairs.

    What is frozen, and what the tree does not say, stays as given. Known poses set the world: two and more
    its scale too, a single one leaves it the scale that the pairs have. Raises `GraphError` when the pairs do
    not tie all views together.
    """
    scores = pair_scores(problem)
    centres = principal_points(given.principal_points, problem.sizes)
    world = complete_world(grow_world(problem, scores, centres), problem, scores, centres, options)
    return start_from_world(world, problem, options, given, frozen)


def start_from_world(
    world: TreeWorld, problem: DenseProblem, options: DenseOptions, given: DenseParameters, frozen: Frozen
) -> DenseStart:
    """Return the start from one world of all views: of the spanning tree, or of whoever has seen them all."""
    pairs, maps = register_pairs(problem, world)
    tree_poses = torch.stack(
        [torch.eye(4) if pose is None else pose.to(torch.float32) for pose in world.world_from_cam]
    )
    known = sorted(frozen.poses)
    move = _world_from_tree(pairs, tree_poses[known], view_poses(given.poses[known]), options, frozen)
    poses = [after(move, similarity(pose)) for pose in tree_poses]
    parameters = DenseParameters(
        pair_poses=pair_pose_values(*stacked([after(move, pair) for pair in pairs])),
        pair_adaptors=given.pair_adaptors,
        log_depth=tuple(_log_depth(placed, pose, move.scale) for placed, pose in zip(maps, tree_poses)),
        poses=pose_values(*stacked(poses)[:2]),
        log_focals=_focal_rows(world.focals, given, options),
        principal_points=given.principal_points,
    )
    unplaced = [problem.name(view) for view, pose in enumerate(world.world_from_cam) if pose is None]
    return DenseStart(keep_frozen(parameters, given, frozen), _notices(unplaced))


def in_gauge(start: DenseStart, options: DenseOptions) -> DenseStart:
    """Return a start from known poses in the scale that pairs have where no poses are frozen."""
    parameters = start.parameters
    log_factor = math.log(options.base_scale) - parameters.pair_poses[:, 7].double().mean().item()
    poses = view_poses(parameters.poses)
    moved = pose_values(poses[:, :3, :3], poses[:, :3, 3] * math.exp(log_factor))
    log_depth = tuple(depth + log_factor for depth in parameters.log_depth)
    return replace(start, parameters=replace(parameters, poses=moved, log_depth=log_depth))


def keep_frozen(parameters: DenseParameters, given: DenseParameters, frozen: Frozen) -> DenseParameters:
    """Return the parameters with the given ones of what is frozen."""

    def rows(name: str, views: frozenset[int]) -> Tensor:
        held = torch.zeros(len(parameters.poses), 1, dtype=torch.bool)
        held[sorted(views)] = True
        return torch.where(held, getattr(given, name), getattr(parameters, name))

    return replace(
        parameters,
        poses=rows("poses", frozen.poses),
        log_focals=rows("log_focals", frozen.focals),
        principal_points=rows("principal_points", frozen.principal_points),
        log_depth=tuple(
            (given if view in frozen.log_depth else parameters).log_depth[view]
            for view in range(len(parameters.poses))
        ),
    )


def log_of_depth(depth: Tensor, present: Tensor) -> Tensor:
    """Return the logarithm of a depth map (H, W): 0, as published, where the depth is not positive, or
    absent.
    """
    usable = present & (depth > 0)
    return torch.where(usable, depth, 1).log().clamp(max=torch.finfo(depth.dtype).max)


def _world_from_tree(
    pairs: Sequence[Similarity], tree: Tensor, known: Tensor, options: DenseOptions, frozen: Frozen
) -> Similarity:
    """Return the similarity that carries the tree's world where known poses (K, 4, 4) and the norm of scales
    want it.
    """
    if not scale_is_normalised(frozen):
        found = register_cameras(tree, known)
        # Cameras in one place set no scale.
        return move_camera(tree[0], known[0]) if found is None else found
    scale = options.base_scale / torch.stack([pair.scale for pair in pairs]).log().mean().exp()
    resized = replace(UNMOVED, scale=scale)
    if not len(known):
        return resized
    tree = tree.clone()
    tree[0, :3, 3] *= scale
    return after(move_camera(tree[0], known[0]), resized)


def _log_depth(placed: PlacedMap, world_from_cam: Tensor, scale: Tensor) -> Tensor:
    depth = in_camera(placed.points, torch.linalg.inv(world_from_cam))[..., 2] * scale.to(placed.points)
    return log_of_depth(depth, placed.present)


def _focal_rows(focals: Sequence[float | None], given: DenseParameters, options: DenseOptions) -> Tensor:
    found = torch.tensor([torch.nan if focal is None else focal for focal in focals])[:, None]
    return torch.where(found.isnan(), given.log_focals, focal_values(found, options))


def stacked(similarities: Sequence[Similarity]) -> tuple[Tensor, Tensor, Tensor]:
    """Return rotations, translations and scales, in single precision."""
    names = ("R", "t", "scale")
    stacked = (torch.stack([getattr(each, name) for each in similarities]).float() for name in names)
    R, t, scale = stacked
    return R, t, scale


def _notices(unplaced: Sequence[str]) -> tuple[Notice, ...]:
    if not unplaced:
        return ()
    text = (
        f"no camera sees the points of {first_few(unplaced)} where they should be: too few pixels are "
        "confident. Their poses start from that of the world's first view and may end up wrong."
    )
    return (warning("start", text),)
