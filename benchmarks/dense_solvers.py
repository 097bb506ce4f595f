"""The dense aligner's solvers on one simulated scene: where they end and what they cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import torch
from memory import forget_peak, memory_mb
from plain_dense import plain_descent, plain_pairs
from simulated import Recipe, simulated

from align.dense.descent import descend
from align.dense.initial.start import start_from_tree
from align.dense.objective import loss
from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import focals, random_parameters, view_poses
from align.dense.problem import DenseProblem, DirectedPair
from align.dense.second_order.least_squares import descend_by_least_squares
from align.dense.terms import gather_terms
from pairs.prediction.predictions import Predictions
from pairs.views.view import grid_mask

SOLVERS = ("plain", "adam", "least-squares")


@dataclass(frozen=True, slots=True)
class PredictedPairs(Sequence[DirectedPair]):
    """Both runs of every pair, read when asked for; pixels off the object are absent."""

    predictions: Predictions

    def __len__(self) -> int:
        return 2 * len(self.predictions.edges)

    @overload
    def __getitem__(self, k: int) -> DirectedPair: ...
    @overload
    def __getitem__(self, k: slice) -> Sequence[DirectedPair]: ...
    def __getitem__(self, k: int | slice) -> DirectedPair | Sequence[DirectedPair]:
        if isinstance(k, slice):
            return [self[each] for each in range(len(self))[k]]
        if not 0 <= k < len(self):
            raise IndexError(k)
        entry, (i, j) = self.predictions.load(k // 2), self.predictions.edges[k // 2]
        run, (i, j) = (entry.ba, (j, i)) if k % 2 else (entry.ab, (i, j))
        assert run is not None
        confs = (
            np.where(grid_mask(self.predictions.views[view]), conf, 0)
            for view, conf in ((i, run.a_conf), (j, run.b_conf))
        )
        arrays = (run.a_in_a, run.b_in_a, *confs)
        return DirectedPair(*(torch.from_numpy(np.array(array, np.float32)) for array in arrays))


def problem_of(predictions: Predictions) -> DenseProblem:
    """Return the problem of predictions whose pairs were all run in both orders."""
    sizes = tuple(grid_mask(view).shape for view in predictions.views)
    edges = tuple(edge for a, b in predictions.edges for edge in ((a, b), (b, a)))
    return DenseProblem(sizes, edges, PredictedPairs(predictions))


@dataclass(frozen=True, slots=True)
class Cost:
    """Where a solver ended and what that took."""

    world_from_cam: np.ndarray  # (V, 4, 4)
    focal: np.ndarray  # (V,)
    loss: float
    """Of the end, by the same program for all."""
    iterations: int
    seconds: float
    """CPU, all iterations."""
    peak_mb: float
    libraries_mb: float


def measure(recipe: Recipe, solver: str, options: DenseOptions, folder: Path) -> Cost:
    """Run one solver. Meant for a process of its own: memory of others would count."""
    torch.set_num_threads(1)
    libraries = memory_mb("VmRSS")
    problem, frozen = problem_of(simulated(recipe, folder).predictions), Frozen()
    drawn = random_parameters(problem.sizes, len(problem.edges), options)
    start = start_from_tree(problem, options, drawn, frozen).parameters
    if solver == "plain":
        pairs = plain_pairs(problem, options, torch.float32)
        forget_peak()
        began = time.process_time()
        end = start
        for _, after in plain_descent(pairs, start, problem.sizes, options, frozen):
            end = after
        seconds, peak = time.process_time() - began, memory_mb("VmHWM")
        terms = gather_terms(problem, options, torch.float32)
    else:
        terms = gather_terms(problem, options, torch.float32)
        forget_peak()
        began = time.process_time()
        end = (
            descend(terms, start, frozen)
            if solver == "adam"
            else descend_by_least_squares(terms, start, frozen)
        ).parameters
        seconds, peak = time.process_time() - began, memory_mb("VmHWM")
    return _cost(end, loss(terms, end, frozen), options, seconds, peak, libraries)


def _cost(
    end: DenseParameters, value: float, options: DenseOptions, seconds: float, peak: float, libraries: float
) -> Cost:
    with torch.no_grad():
        poses = view_poses(end.poses).double().numpy()
        focal = focals(end.log_focals, options)[:, 0].double().numpy()
    return Cost(poses, focal, value, options.num_iterations, seconds, peak, libraries)
