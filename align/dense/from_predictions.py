"""The dense problem of predictions, with masks obeyed (docs/dense_alignment.md, "Masks")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import torch
from torch import Tensor

from align.dense.initial.spanning_tree import LEAST_PIXELS
from align.dense.options import DenseOptions
from align.dense.problem import DenseProblem, DirectedPair
from masks.errors import ReconstructionError
from masks.memory import free_memory
from pairs.prediction.predictions import PairPrediction, Predictions
from pairs.views.view import grid_mask

_BYTES = 10
"""A pixel and side of a directed pair: three coordinates in half precision, and a weight."""
_BYTES_OF_VIEW = 60
"""A pixel of a view: its depth, the gradient, Adam's memory, and what is handed on."""
_BYTES_OF_ENTRY = 32
"""An entry of the equations of views and pairs: the matrix, two copies and a factor, double."""


def dense_problem(predictions: Predictions, known_depth: Mapping[int, Tensor]) -> DenseProblem:
    """Return the problem of all directed predictions: both orders of a pair are two, the reversed ones behind
    all others, as published.

    A pixel off the mask, or without a finite point or confidence, is absent; so is, of a view whose depth
    (H, W) is known, one without a depth. A prediction that shows hardly any point of one of its views is left
    out: its scale would be anything.
    """
    masks = [grid_mask(view) for view in predictions.views]
    for view, depth in known_depth.items():
        masks[view] = masks[view] & (depth > 0).numpy()
    runs = _Runs(predictions, tuple(masks), _useful_runs(predictions, masks))
    sizes = tuple(mask.shape for mask in masks)
    names = tuple(view.name for view in predictions.views)
    return DenseProblem(sizes, tuple(runs.edge(run) for run in runs.runs), runs, names)


def require_memory(problem: DenseProblem, masks: Sequence[np.ndarray], options: DenseOptions) -> None:
    """Raise `ReconstructionError`, before any work, where the alignment takes more memory than there is."""
    pixels = [int(mask.sum()) for mask in masks]
    sides = sum(pixels[view] for edge in problem.edges for view in edge)
    needed = _BYTES * sides + _BYTES_OF_VIEW * sum(height * width for height, width in problem.sizes)
    if options.solver == "least-squares":
        needed += _BYTES_OF_ENTRY * (7 * (problem.num_views + len(problem.edges))) ** 2
    free = free_memory()
    if free is not None and needed > free:
        raise ReconstructionError(
            f"the dense alignment of {len(problem.edges)} directed pairs takes about {needed / 1e9:.1f} GB, "
            f"and {free / 1e9:.1f} GB are free. Use fewer pairs (`graph=window:3`), smaller grids, or "
            "`preset=pointloom`, which keeps one number a block."
        )


@dataclass(frozen=True, slots=True)
class _Run:
    entry: int
    reversed: bool


def _useful_runs(predictions: Predictions, masks: Sequence[np.ndarray]) -> tuple[_Run, ...]:
    forward, backward = [], []
    for k, (a, b) in enumerate(predictions.edges):
        entry = predictions.load(k)
        if entry.ab is not None and _says_enough(_present(entry.ab, masks[a], masks[b])):
            forward.append(_Run(k, False))
        if entry.ba is not None and _says_enough(_present(entry.ba, masks[b], masks[a])):
            backward.append(_Run(k, True))
    return (*forward, *backward)


def _says_enough(pair: DirectedPair) -> bool:
    return all(int((conf > 0).sum()) >= LEAST_PIXELS for conf in (pair.conf_i, pair.conf_j))


@dataclass(frozen=True, slots=True)
class _Runs(Sequence[DirectedPair]):
    """Reads a pair whenever it is asked for: all of them together may not fit into memory."""

    predictions: Predictions
    masks: tuple[np.ndarray, ...]  # (H, W) bool each
    runs: tuple[_Run, ...]

    def __len__(self) -> int:
        return len(self.runs)

    @overload
    def __getitem__(self, index: int) -> DirectedPair: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[DirectedPair]: ...
    def __getitem__(self, index: int | slice) -> DirectedPair | Sequence[DirectedPair]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        run = self.runs[index]
        entry = self.predictions.load(run.entry)
        prediction = entry.ba if run.reversed else entry.ab
        assert prediction is not None, "only runs that are there are listed"
        return _present(prediction, *(self.masks[view] for view in self.edge(run)))

    def edge(self, run: _Run) -> tuple[int, int]:
        a, b = self.predictions.edges[run.entry]
        return (b, a) if run.reversed else (a, b)


def _present(run: PairPrediction, mask_a: np.ndarray, mask_b: np.ndarray) -> DirectedPair:
    sides = []
    for points, conf, mask in ((run.a_in_a, run.a_conf, mask_a), (run.b_in_a, run.b_conf, mask_b)):
        # Axis by axis: `all` over a last axis of three takes most of the reading.
        x, y, z = np.moveaxis(np.isfinite(points), -1, 0)
        known = mask & x & y & z & np.isfinite(conf)
        sides.append(
            (
                torch.from_numpy(np.where(known[..., None], points, 0).astype(np.float32)),
                torch.from_numpy(np.where(known, conf, 0).astype(np.float32)),
            )
        )
    (points_i, conf_i), (points_j, conf_j) = sides
    return DirectedPair(points_i, points_j, conf_i, conf_j)
