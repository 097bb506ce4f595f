"""Depths that follow a step: for given maps, every pixel has an equation of its own."""

from __future__ import annotations

import torch
from torch import Tensor

from align.dense.objective import Piece, pieces, residuals
from align.dense.parameters import DenseParameters
from align.dense.second_order.equations import ViewMaps, maps_at, weighted
from align.dense.second_order.unknowns import Unknowns
from align.dense.terms import DenseTerms

_MOST_CHANGE = 10.0
"""Factor of a depth in one step: no pixel passes through its camera."""


def follow(
    terms: DenseTerms,
    before: DenseParameters,
    after: DenseParameters,
    unknowns: Unknowns,
    floor: float,
) -> tuple[Tensor, ...]:
    """Return the logarithms of depth that lower the parabolas touching the cost `before`, most at the maps of
    `after`; both may be the same.
    """
    if before is after:
        old = new = maps_at(terms, before, unknowns)
    else:
        old, new = (maps_at(terms, each, unknowns) for each in (before, after))
    result = []
    for k, view in enumerate(terms.views):
        log_depth = before.log_depth[k].clone()
        if k not in unknowns.frozen.log_depth and view.pixel.numel():
            change = torch.empty_like(old[k].depth)
            for piece in pieces(view):
                weighted(piece, old[k], unknowns, floor)
                change[piece.window] = _factor(piece, old[k], new[k])
            log_depth.view(-1)[view.pixel] += change.log_().to(log_depth)
        result.append(log_depth)
    return tuple(result)


def _factor(piece: Piece, old: ViewMaps, new: ViewMaps) -> Tensor:
    """Return what the depths (C,) are multiplied by."""
    if old is new:
        gradient = piece.residual
        factor = piece.weight
    else:
        factor = piece.weight.clone()
        residuals(piece, new.of_view, new.of_pairs, old.depth)
        gradient = piece.residual.mul_(factor[:, None])
    ray = piece.world - new.of_view[:, 3:]
    slope = torch.linalg.vecdot(gradient.sum(0), ray, dim=0)
    curvature = factor.sum(0) * ray.square().sum(0)
    # A point moves along its ray in proportion to its depth, so the parabola is exact. Without weight, or
    # without a ray, the depth stays.
    step = torch.where(curvature > 0, slope / torch.where(curvature > 0, curvature, 1), 0)
    return (1 - step).clamp_(1 / _MOST_CHANGE, _MOST_CHANGE)
