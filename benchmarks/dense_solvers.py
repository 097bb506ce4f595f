"""The dense aligner's solvers on one simulated scene: where they end and what they cost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from memory import forget_peak, memory_mb
from plain_dense import plain_descent, plain_pairs
from simulated import Recipe, simulated

from align.dense.descent import descend
from align.dense.from_predictions import dense_problem
from align.dense.initial.start import start_from_tree
from align.dense.objective import loss
from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import focals, random_parameters, view_poses
from align.dense.second_order.least_squares import descend_by_least_squares
from align.dense.terms import gather_terms

SOLVERS = ("plain", "adam", "least-squares")


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
    problem, frozen = dense_problem(simulated(recipe, folder).predictions, {}), Frozen()
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
