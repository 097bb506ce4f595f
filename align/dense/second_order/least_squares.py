"""Reweighted least squares on the dense losses: a few steps on some of the pixels place views and pairs, then
all depths follow (docs/dense_alignment.md, "Least squares on the same losses").
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from align.dense.descent import DenseDescent
from align.dense.initial.start import keep_frozen
from align.dense.objective import loss, pieces
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import view_maps
from align.dense.second_order.depth import follow
from align.dense.second_order.equations import maps_at, reduced_equations, weighted
from align.dense.second_order.unknowns import Unknowns, free_unknowns, moved, unknowns_of
from align.dense.terms import DenseTerms, thinned
from align.solver.least_squares import (
    LevenbergMarquardtOptions,
    NormalEquations,
    Step,
    levenberg_marquardt,
)
from masks.progress import Progress, silent

_PIXELS = 2048
"""Of a view, that place it: four times as many lower the loss of all pixels by 0.01 %, in twice the time."""
_FLOORS = (0.25, 0.03, 0.003)
"""Of distances, in mean distances at a stage's start: without one, pixels that happen to agree would hold
whatever they agree on. The last stage lowers the loss by 0.02 %."""
_DEPTH_FLOORS = (0.5, 0.12, 0.06, 0.03, 0.015, 0.008, 0.004)
"""The same for passes over the depths of all pixels; most have not moved before."""
_STAGE = LevenbergMarquardtOptions(max_steps=20, relative_tolerance=1e-4)


@dataclass(frozen=True, slots=True)
class _Model:
    """The cost with a floor under distances, for `align.solver.least_squares`. Its equations are those of
    views and pairs; `retract` lets the depths follow.
    """

    terms: DenseTerms
    unknowns: Unknowns
    floor: float

    def cost(self, state: DenseParameters) -> float:
        total = torch.zeros((), dtype=torch.float64)
        for view, maps in zip(self.terms.views, maps_at(self.terms, state, self.unknowns)):
            for piece in pieces(view):
                total += weighted(piece, maps, self.unknowns, self.floor)
        return float(total)

    def equations(self, state: DenseParameters) -> NormalEquations:
        matrix, gradient = reduced_equations(self.terms, state, self.unknowns, self.floor)
        none = np.zeros((0, 0))
        return NormalEquations(matrix, gradient, none, none, np.zeros((0, 0, 0)), np.zeros((0, 0), int))

    def retract(self, state: DenseParameters, step: Step) -> DenseParameters:
        after = moved(state, self.unknowns, step.shared)
        log_depth = follow(self.terms, state, after, self.unknowns, self.floor)
        return replace(after, log_depth=log_depth)


def descend_by_least_squares(
    terms: DenseTerms, start: DenseParameters, frozen: Frozen, progress: Progress = silent
) -> DenseDescent:
    """Lower the loss from a start that is roughly right. What is frozen stays to the bit; equal input gives
    equal bytes. A start that it cannot better is returned.

    Beyond the terms, memory is that of the depth maps and of three matrices of 7 unknowns a view and a pair.
    """
    began = loss(terms, start, frozen)
    some = thinned(terms, _PIXELS)
    state = _with_dtype(start, torch.float64)
    unknowns = unknowns_of(terms, _centre(some, state), frozen)
    kinks = terms.options.distance == "l1"
    num_steps, total = 0, (len(_FLOORS) if kinks else 1) + len(_DEPTH_FLOORS)
    for stage, share in enumerate(_FLOORS if kinks else (0.0,)):
        model = _Model(some, unknowns, share * _mean_distance(some, state, unknowns))
        state, summary = levenberg_marquardt(model, state, free_unknowns(some, unknowns), _STAGE)
        num_steps += len(summary.costs) - 1
        progress("aligning", stage + 1, total)
    mean = _mean_distance(some, state, unknowns) if kinks else 0.0
    for stage, share in enumerate(_DEPTH_FLOORS, total - len(_DEPTH_FLOORS)):
        state = replace(state, log_depth=follow(terms, state, state, unknowns, share * mean))
        progress("aligning", stage + 1, total)
    found = keep_frozen(_with_dtype(state, start.poses.dtype), start, frozen)
    ended = loss(terms, found, frozen)
    if not ended <= began:  # NaN is not
        stopped = f"no loss below that of the start, {began:.6g}, in {num_steps} steps"
        losses = torch.tensor([began, began], dtype=torch.float64)
        return DenseDescent(start, losses, torch.empty(0), num_steps, stopped)
    losses = torch.tensor([began, ended], dtype=torch.float64)
    return DenseDescent(found, losses, torch.empty(0), num_steps, "finished")


def _with_dtype(parameters: DenseParameters, dtype: torch.dtype) -> DenseParameters:
    """Return the parameters with all but the depths in a precision."""
    names = [field.name for field in fields(parameters) if field.name != "log_depth"]
    return replace(parameters, **{name: getattr(parameters, name).to(dtype) for name in names})


def _centre(terms: DenseTerms, parameters: DenseParameters) -> Tensor:
    """Return the medians (3,) of the coordinates of the views' points, double."""
    of_views = view_maps(parameters, terms.options)
    points = [
        of_view[:, :3] @ (torch.cat([view.xy, torch.ones_like(view.xy[:1])]) * depth[view.pixel]).to(of_view)
        + of_view[:, 3:]
        for of_view, view, depth in zip(
            of_views, terms.views, (each.reshape(-1).exp() for each in parameters.log_depth)
        )
    ]
    return torch.cat(points, 1).median(1).values


def _mean_distance(terms: DenseTerms, parameters: DenseParameters, unknowns: Unknowns) -> float:
    """Return the weighted mean of the distances; 0 without weights."""
    weight = sum(float((view.weight.clamp(min=0).sum(1) * view.share).sum()) for view in terms.views)
    return _Model(terms, unknowns, 0.0).cost(parameters) / weight if weight else 0.0
