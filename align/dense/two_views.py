"""Two views need no descent: one pair's points place the other camera
(docs/dense_alignment.md, "Two views").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from align.dense.initial.pnp import place_camera
from align.dense.initial.spanning_tree import own_focal, pair_scores
from align.dense.options import TwoViewOptions
from align.dense.problem import DenseProblem, DirectedPair, in_full, view_confidences
from align.pinhole import in_camera
from masks.errors import GraphError, ReconstructionError
from masks.notice import Notice, warning

_TRIES = 100
"""Samples of perspective-n-point, as published for two views."""


@dataclass(frozen=True, slots=True)
class TwoViewScene:
    """Two cameras in the frame of the one whose pair is the more confident, in that pair's scale."""

    scores: Tensor  # (2,), how confident the pair is of which each view is the first
    world_from_cam: Tensor  # (2, 4, 4)
    K: Tensor  # (2, 3, 3)
    depth: tuple[Tensor, Tensor]
    """(H, W) each; NaN where the view is absent. Points behind their camera have negative depth."""
    notices: tuple[Notice, ...] = ()


def place_two_views(
    problem: DenseProblem, options: TwoViewOptions, known_K: Mapping[int, Tensor]
) -> TwoViewScene:
    """Return the scene of two views and the pairs of both directions, with the intrinsics (3, 3) that are
    known by view. Raises `GraphError` for anything else, and where fewer than three pixels of a view are
    present.
    """
    pairs = dict(zip(problem.edges, problem.pairs))
    if problem.num_views != 2 or set(pairs) != {(0, 1), (1, 0)}:
        raise GraphError(
            f"two views are placed by the predictions of both orders; given are {problem.num_views} views "
            f"and {len(pairs)} predictions. Use `preset=dust3r` for more views."
        )
    of_edge = dict(zip(problem.edges, pair_scores(problem)))
    scores = torch.stack([of_edge[0, 1], of_edge[1, 0]])
    first = 0 if scores[0] > scores[1] else 1
    other = 1 - first
    if not bool((scores > 0).all()):
        raise GraphError(
            f"{problem.name(0)}, {problem.name(1)}: one of the views has fewer than three pixels. "
            "Check the masks."
        )
    K = torch.stack(
        [
            known_K[view].float() if view in known_K else _intrinsics(problem, view, pairs[view, 1 - view])
            for view in range(2)
        ]
    )
    pair = pairs[first, other]
    in_first, present = in_full(pair.points_j), pair.conf_j > 0
    mask = (view_confidences(problem)[other] > options.min_conf) & present
    found = place_camera(in_first, mask, K[other, 0, 0].item(), K[other, :2, 2], _TRIES)
    world_from_cam = torch.eye(4).repeat(2, 1, 1)
    if found is not None:
        world_from_cam[other] = found.world_from_cam
    own = in_full(pair.points_i)[..., 2].where(pair.conf_i > 0, torch.nan)
    across = in_camera(in_first, torch.linalg.inv(world_from_cam[other]))[..., 2].where(present, torch.nan)
    depth = (own, across) if first == 0 else (across, own)
    return TwoViewScene(
        scores, world_from_cam, K, depth, () if found is not None else (_not_placed(problem.name(other)),)
    )


def _intrinsics(problem: DenseProblem, view: int, pair: DirectedPair) -> Tensor:
    height, width = problem.sizes[view]
    focal = own_focal(pair, torch.tensor([width / 2, height / 2]))
    if focal is None:
        raise ReconstructionError(f"{problem.name(view)}: no focal fits its points. Check its mask.")
    return torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])


def _not_placed(name: str) -> Notice:
    text = (
        "no camera sees the points where they should be: too few pixels are confident. It stands where the "
        "other camera does."
    )
    return warning(name, text)
