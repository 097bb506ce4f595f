"""Where every camera is known, pairs and depths start from there (docs/dense_alignment.md, "Start")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from align.dense.initial.pnp import place_camera
from align.dense.initial.registration import Similarity, carry_points, register_cameras
from align.dense.initial.spanning_tree import mean_confidence
from align.dense.initial.start import DenseStart, keep_frozen, log_of_depth, stacked
from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import focals, pair_pose_values, principal_points, view_poses
from align.dense.problem import DenseProblem, DirectedPair, in_full
from align.pinhole import in_camera
from masks.errors import ReconstructionError, StatedCamerasError
from masks.notice import Notice, first_few, warning


def start_from_known_poses(
    problem: DenseProblem, options: DenseOptions, given: DenseParameters, frozen: Frozen
) -> DenseStart:
    """Return the start where the poses and focals of all views are known: frozen as given.

    A pair finds its second camera from the points there, and its place and scale from both. Depths are those
    of the most confident pair that a view is the first one of, else the second one. Raises
    `StatedCamerasError` when a pose or a focal is not known, `ReconstructionError` when no pair finds its
    second camera.
    """
    _require_all(problem, frozen)
    poses = view_poses(given.poses)
    found = []
    for edge, pair in zip(problem.edges, problem.pairs):
        camera = _second_camera(problem, edge, pair, options, given)
        known = poses[list(edge)]
        found.append(None if camera is None else register_cameras(torch.stack([torch.eye(4), camera]), known))
    lost = [
        f"({', '.join(map(problem.name, edge))})" for edge, each in zip(problem.edges, found) if each is None
    ]
    if len(lost) == len(found):
        raise ReconstructionError(
            f"no pair finds its second camera in its points, with the stated focal: {first_few(lost)}. "
            "Check the stated focals and the masks."
        )
    pairs = _with_lost(found, problem, poses)
    parameters = replace(
        given,
        pair_poses=pair_pose_values(*stacked(pairs)),
        log_depth=tuple(
            log_of_depth(seen.depth, seen.present) for seen in _best_depths(problem, pairs, poses)
        ),
    )
    return DenseStart(keep_frozen(parameters, given, frozen), _notices(lost))


def _require_all(problem: DenseProblem, frozen: Frozen) -> None:
    for name, views in (("pose", frozen.poses), ("focal", frozen.focals)):
        missing = [problem.name(view) for view in range(problem.num_views) if view not in views]
        if missing:
            raise StatedCamerasError(
                f"a start from known poses needs the {name} of every view; it is not stated for "
                f"{first_few(missing)}. State it, or start from the spanning tree."
            )


def _second_camera(
    problem: DenseProblem,
    edge: tuple[int, int],
    pair: DirectedPair,
    options: DenseOptions,
    given: DenseParameters,
) -> Tensor | None:
    """Return the pose (4, 4) of the second camera in the first one's frame."""
    i, j = edge
    # As published, the second picture is taken with the first one's camera. Pictures of different sizes never
    # worked there, and share no camera.
    owner = i if problem.sizes[i] == problem.sizes[j] else j
    found = place_camera(
        in_full(pair.points_j),
        pair.conf_j > 0,
        focals(given.log_focals, options)[owner].mean().item(),
        principal_points(given.principal_points, problem.sizes)[owner],
        options.pnp_iterations,
    )
    return None if found is None else found.world_from_cam


def _with_lost(found: Sequence[Similarity | None], problem: DenseProblem, poses: Tensor) -> list[Similarity]:
    """Return all similarities. A pair that did not find its second camera still stands at its first, which is
    known; its scale is the middle one of the others.
    """
    scale = torch.stack([each.scale for each in found if each is not None]).median()
    at_first = (poses[i].double() for i, _ in problem.edges)
    return [
        Similarity(scale, pose[:3, :3], pose[:3, 3]) if each is None else each
        for each, pose in zip(found, at_first)
    ]


@dataclass(frozen=True, slots=True)
class _SeenDepth:
    """Depth of a view as one pair sees it."""

    rank: tuple[bool, float]
    """Whether the view is the pair's first, and how confident the pair is of it."""
    depth: Tensor  # (H, W)
    present: Tensor  # (H, W) bool


def _best_depths(problem: DenseProblem, pairs: Sequence[Similarity], poses: Tensor) -> list[_SeenDepth]:
    best = [
        _SeenDepth((False, -1.0), torch.ones(size), torch.zeros(size, dtype=torch.bool))
        for size in problem.sizes
    ]
    cams_from_world = torch.linalg.inv(poses)
    for (i, j), pair, moved in zip(problem.edges, problem.pairs, pairs):
        own = in_full(pair.points_i)[..., 2] * moved.scale.to(torch.float32)
        across = in_camera(carry_points(moved, in_full(pair.points_j)), cams_from_world[j])[..., 2]
        for view, depth, conf in ((i, own, pair.conf_i), (j, across, pair.conf_j)):
            seen = _SeenDepth((view == i, mean_confidence(conf)), depth, conf > 0)
            best[view] = _better(best[view], seen)
    return best


def _better(a: _SeenDepth, b: _SeenDepth) -> _SeenDepth:
    """Return the better one, the first of equals, with the other one's depth where it has none."""
    best, rest = (b, a) if b.rank > a.rank else (a, b)
    return _SeenDepth(
        best.rank, torch.where(best.present, best.depth, rest.depth), best.present | rest.present
    )


def _notices(lost: Sequence[str]) -> tuple[Notice, ...]:
    if not lost:
        return ()
    text = (
        f"pairs {first_few(lost)} do not find their second camera in their points; they start at the middle "
        "scale of the others."
    )
    return (warning("start", text),)
