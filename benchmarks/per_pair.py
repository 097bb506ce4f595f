"""The reference's descent as somebody would plainly write it: per-view tensors, a Python loop over the pairs,
torch's own Adam.

It is what the vectorised descent is measured against, written from the method's description alone
(docs/sparse_alignment.md, "Losses") and shares with it the start and the robust function. The list of pairs
is symmetrised, so every observation is there twice, as in the reference. A pair without a match, on which the
reference fails, is left out; so are fallbacks, frozen views and shared intrinsics.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import roma
import torch
from torch import Tensor

from align.sparse.camera_chain import CameraChain, Parameters
from align.sparse.options import SparseOptions, Stage
from align.sparse.problem import Problem
from align.sparse.robust import Robust, at_progress, robust_value

_LEAST_DEPTH = 1e-3
_FAR_PX = (-1000.0, 2000.0)


@dataclass(frozen=True, slots=True)
class DirectedPair:
    """The matches of a pair in one of its two orders."""

    a: int
    b: int
    in_a: Tensor  # (M,) int, into the points of view a
    in_b: Tensor  # (M,) int, into those of view b
    xy_a: Tensor  # (M, 2), pixels
    xy_b: Tensor  # (M, 2)
    conf: Tensor  # (M,)


@dataclass(frozen=True, slots=True)
class ViewPoints:
    """The anchored points of one view."""

    xy: Tensor  # (N, 2), pixels
    anchor: Tensor  # (N,) int, into the view's anchors
    ratio: Tensor  # (N,)
    """Depth over that of the anchor."""


@dataclass(frozen=True, slots=True)
class PlainProblem:
    """Pairs in both orders, and what stays constant."""

    pairs: tuple[DirectedPair, ...]
    points: tuple[ViewPoints, ...]
    chain: CameraChain


@dataclass(frozen=True, slots=True)
class PlainParameters:
    """What is moved: one tensor a view each."""

    quat: list[Tensor]  # (4,)
    t: list[Tensor]  # (3,)
    log_scale: list[Tensor]  # ()
    log_focal: list[Tensor]  # ()
    principal_point: list[Tensor]  # (2,), over the image's size
    depth_params: list[Tensor]  # (A_v,)


@dataclass(frozen=True, slots=True)
class PlainCamera:
    """One view in the world."""

    focal: Tensor  # ()
    centre_px: Tensor  # (2,)
    R_world_from_cam: Tensor  # (3, 3)
    centre: Tensor  # (3,)
    anchor_depth: Tensor  # (A_v,)


@dataclass(frozen=True, slots=True)
class PlainDescent:
    """How a stage went."""

    losses: tuple[float, ...]
    """Before each step."""
    seconds: float
    """CPU seconds."""


def plain_problem(problem: Problem, chain: CameraChain) -> PlainProblem:
    """Return the problem cut into views and pairs, the list of pairs symmetrised."""
    points = []
    for v in range(problem.num_views):
        here = slice(int(problem.point_start[v]), int(problem.point_start[v + 1]))
        points.append(
            ViewPoints(
                problem.point_xy[here],
                problem.point_anchor[here] - problem.anchor_start[v],
                problem.point_ratio[here],
            )
        )
    forward, backward = [], []
    for k, (a, b) in enumerate(problem.pair.tolist()):
        here = slice(int(problem.match_start[k]), int(problem.match_start[k + 1]))
        ends, conf = problem.match_points[here], problem.match_conf[here]
        if len(conf) == 0:
            continue
        in_a, in_b = ends[:, 0] - problem.point_start[a], ends[:, 1] - problem.point_start[b]
        forward.append(DirectedPair(a, b, in_a, in_b, points[a].xy[in_a], points[b].xy[in_b], conf))
        backward.append(DirectedPair(b, a, in_b, in_a, points[b].xy[in_b], points[a].xy[in_a], conf))
    return PlainProblem(tuple(forward + backward), tuple(points), chain)


def plain_parameters(parameters: Parameters, chain: CameraChain) -> PlainParameters:
    """Return the parameters view by view."""
    depth_params = [part.clone() for part in parameters.depth_params.split(chain.depth_start.diff().tolist())]
    rest = [
        [row.clone() for row in getattr(parameters, name)]
        for name in ("quat", "t", "log_scale", "log_focal", "principal_point")
    ]
    return PlainParameters(*rest, depth_params=depth_params)


def flat_parameters(plain: PlainParameters) -> Parameters:
    """Return the parameters of all views in flat arrays, as the vectorised descent has them."""
    rows = (
        torch.stack([row.detach() for row in getattr(plain, name)])
        for name in ("quat", "t", "log_scale", "log_focal", "principal_point")
    )
    return Parameters(
        *rows, depth_params=torch.cat([depth_params.detach() for depth_params in plain.depth_params])
    )


def plain_cameras(plain: PlainParameters, chain: CameraChain) -> list[PlainCamera]:
    """Return the views in the world."""
    sizes = [log_scale.exp() for log_scale in plain.log_scale]
    unit = 1 / torch.stack(sizes).amin()
    R, t = {}, {}
    for parent, child in ((None, chain.tree.root), *chain.tree.edges):
        turn = roma.unitquat_to_rotmat(plain.quat[child] / plain.quat[child].norm())
        R[child] = turn if parent is None else R[parent] @ turn
        t[child] = plain.t[child] if parent is None else R[parent] @ plain.t[child] + t[parent]
    cameras = []
    for v, size in enumerate(sizes):
        focal = plain.log_focal[v].exp()
        if chain.focal_limits is not None:
            focal = focal.clamp(chain.focal_limits[0, v], chain.focal_limits[1, v])
        pivot_depth = size * chain.pivot_depth[v] * focal / chain.base_focal[v]
        ray = torch.cat(
            [chain.size[v] / focal * (0.5 - plain.principal_point[v]), torch.ones_like(focal)[None]]
        )
        centre = unit * (t[v] - R[v] @ (pivot_depth * ray))
        depth = unit * (pivot_depth + (plain.depth_params[v] - 1) * chain.pivot_depth[v] * size)
        cameras.append(PlainCamera(focal, chain.size[v] * plain.principal_point[v], R[v], centre, depth))
    return cameras


def world_points(camera: PlainCamera, points: ViewPoints, base_focal: Tensor) -> Tensor:
    """Return the anchored points (N, 3) of one view in the world."""
    depth = camera.anchor_depth[points.anchor] * (1 + (points.ratio - 1) * base_focal / camera.focal)
    rays = torch.cat([(points.xy - camera.centre_px) / camera.focal, torch.ones_like(points.xy[:, :1])], 1)
    return (depth[:, None] * rays) @ camera.R_world_from_cam.T + camera.centre


def plain_loss_3d(plain: PlainParameters, problem: PlainProblem, robust: Robust) -> Tensor:
    """Return the coarse stage's loss: between the ends of a pair's matches, a pair after the other."""
    world = _all_points(plain_cameras(plain, problem.chain), problem)
    between = [world[pair.a][pair.in_a] - world[pair.b][pair.in_b] for pair in problem.pairs]
    conf = torch.cat([pair.conf for pair in problem.pairs])
    return (conf * robust_value(robust, torch.cat(between).norm(dim=-1))).sum() / conf.sum()


def plain_loss_2d(plain: PlainParameters, problem: PlainProblem, robust: Robust) -> Tensor:
    """Return the fine stage's loss: of every image's pixels to the other ends of their matches, an image
    after the other.
    """
    cameras = plain_cameras(plain, problem.chain)
    world = _all_points(cameras, problem)
    totals, weights = [], []
    for v, camera in enumerate(cameras):
        first = [(pair.xy_a, world[pair.b][pair.in_b], pair.conf) for pair in problem.pairs if pair.a == v]
        second = [(pair.xy_b, world[pair.a][pair.in_a], pair.conf) for pair in problem.pairs if pair.b == v]
        xy, seen, conf = (torch.cat(parts) for parts in zip(*first, *second))
        totals.append((conf * robust_value(robust, (xy - _projected(camera, seen)).norm(dim=-1))).sum())
        weights.append(conf.sum())
    return torch.stack(totals).sum() / torch.stack(weights).sum()


def _all_points(cameras: list[PlainCamera], problem: PlainProblem) -> list[Tensor]:
    return [
        world_points(camera, points, base)
        for camera, points, base in zip(cameras, problem.points, problem.chain.base_focal)
    ]


def _projected(camera: PlainCamera, points: Tensor) -> Tensor:
    """Return the pixels (N, 2) of world points."""
    seen = (points - camera.centre) @ camera.R_world_from_cam
    uv = camera.focal * seen[:, :2] / seen[:, 2:].clamp(min=_LEAST_DEPTH) + camera.centre_px
    return uv.clamp(*_FAR_PX)


def plain_stage(
    plain: PlainParameters, problem: PlainProblem, stage: Stage, fine: bool, steps: int
) -> PlainDescent:
    """Run the first `steps` iterations of a stage of a longer schedule; the parameters are moved in place,
    and no state before is kept.
    """
    leaves = [
        *plain.quat,
        *plain.t,
        *plain.log_scale,
        *((*plain.log_focal, *plain.principal_point, *plain.depth_params) if fine else ()),
    ]
    optimiser = torch.optim.Adam([leaf.requires_grad_() for leaf in leaves], betas=(0.9, 0.9), eps=1e-8)
    loss_of = plain_loss_2d if fine else plain_loss_3d
    losses, began = [], time.process_time()
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = stage.rate * (1 + math.cos(math.pi * step / stage.steps)) / 2
        optimiser.zero_grad()
        loss = loss_of(plain, problem, at_progress(stage.robust, step / stage.steps))
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            for quat in plain.quat:
                quat /= quat.norm()
        losses.append(float(loss.detach()))
    return PlainDescent(tuple(losses), time.process_time() - began)


def plain_descent(
    plain: PlainParameters, problem: PlainProblem, options: SparseOptions, steps: tuple[int, int]
) -> tuple[PlainDescent, PlainDescent]:
    """Run so many iterations of the coarse and of the fine stage."""
    stages = (options.coarse, options.fine)
    coarse, fine = (
        plain_stage(plain, problem, stage, fine, count)
        for stage, fine, count in zip(stages, (False, True), steps)
    )
    return coarse, fine
