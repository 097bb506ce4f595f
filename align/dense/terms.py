"""What directed pairs say of every view, laid out for fast sums (docs/dense_alignment.md, "Objective").

A pair contributes to two views; here each view has all that is said of it side by side, at the pixels that
anybody says something of. Single-precision sums read half-precision points: memory is 10 bytes a pixel and
side, and reading it is a large part of the work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from align.dense.options import ConfTransform, DenseOptions
from align.dense.poses import middles
from align.dense.problem import DenseProblem, DirectedPair
from align.pinhole import pixel_grid

CONF_TRANSFORMS: Mapping[ConfTransform, Callable[[Tensor], Tensor]] = {
    "log": torch.log,
    "sqrt": torch.sqrt,
    "m1": lambda conf: conf - 1,
    "id": lambda conf: conf,
    "none": lambda conf: conf,
}


@dataclass(frozen=True, slots=True)
class ViewTerms:
    """What S sides of directed pairs say of one view, at its N present pixels."""

    pixel: Tensor  # (N,) int, ascending, in the flattened view
    xy: Tensor  # (2, N), pixels from the middle of the picture
    pair: Tensor  # (S,) int
    side: Tensor  # (S,) int, 0 where the view is the pair's first
    points: Tensor  # (S, 3, N), in units of `unit`; 0 where absent
    unit: Tensor  # (S,), powers of two
    weight: Tensor  # (S, N); 0 where absent
    share: Tensor  # (S,), double: what a side's sum is multiplied by in the loss
    num_present: Tensor  # (S,) int, pixels that the side says something of


@dataclass(frozen=True, slots=True)
class DenseTerms:
    """The observations of an alignment in the form in which they are summed."""

    sizes: tuple[tuple[int, int], ...]
    edges: tuple[tuple[int, int], ...]
    views: tuple[ViewTerms, ...]
    options: DenseOptions


def gather_terms(problem: DenseProblem, options: DenseOptions, dtype: torch.dtype) -> DenseTerms:
    """Return the terms for sums in `dtype`: for single precision, points are stored in half. Its rounding, a
    2000th of a coordinate at most, is far below a network's noise.

    Every pair is read twice; beyond the terms, one at a time is in memory.
    """
    sides: list[list[tuple[int, int]]] = [[] for _ in problem.sizes]
    present = [torch.zeros(height * width, dtype=torch.bool) for height, width in problem.sizes]
    num_present = torch.zeros(len(problem.edges), 2, dtype=torch.int64)
    for pair, (edge, predicted) in enumerate(zip(problem.edges, problem.pairs)):
        for side, (view, (_, conf)) in enumerate(zip(edge, _sides(predicted))):
            sides[view].append((pair, side))
            present[view] |= conf != 0
            num_present[pair, side] = (conf != 0).sum()
    share = _shares(num_present, options)
    views = tuple(
        _empty(problem, view, present[view], sides[view], num_present, share, dtype)
        for view in range(problem.num_views)
    )
    row = {entry: k for entries in sides for k, entry in enumerate(entries)}
    for pair, (edge, predicted) in enumerate(zip(problem.edges, problem.pairs)):
        for side, (view, (points, conf)) in enumerate(zip(edge, _sides(predicted))):
            _fill(views[view], row[pair, side], points, conf, options)
    return DenseTerms(problem.sizes, problem.edges, views, options)


def _sides(predicted: DirectedPair) -> list[tuple[Tensor, Tensor]]:
    """Return points (P, 3) and confidence (P,) of both sides."""
    return [
        (predicted.points_i.reshape(-1, 3), predicted.conf_i.reshape(-1)),
        (predicted.points_j.reshape(-1, 3), predicted.conf_j.reshape(-1)),
    ]


def _shares(num_present: Tensor, options: DenseOptions) -> Tensor:
    """Return the factors (E, 2) of the sides' sums: one over the pixels of all first, or second, sides
    together, or of the side alone and the number of pairs. A side that says nothing has no sum: any factor
    does.
    """
    if options.mean == "pixels":
        return (1 / num_present.sum(0).clamp(min=1).double()).expand(len(num_present), 2)
    return 1 / (len(num_present) * num_present.clamp(min=1).double())


def _empty(
    problem: DenseProblem,
    view: int,
    present: Tensor,
    entries: list[tuple[int, int]],
    num_present: Tensor,
    share: Tensor,
    dtype: torch.dtype,
) -> ViewTerms:
    pixel = present.nonzero()[:, 0]
    pair, side = torch.tensor(entries, dtype=torch.int64).reshape(-1, 2).T
    like = torch.empty(0, dtype=dtype)
    xy = (pixel_grid(*problem.sizes[view], like) - middles(problem.sizes, like)[view])[pixel].T.contiguous()
    stored = torch.float16 if dtype == torch.float32 else dtype
    return ViewTerms(
        pixel,
        xy,
        pair,
        side,
        torch.empty(len(pair), 3, len(pixel), dtype=stored),
        torch.ones(len(pair), dtype=dtype),
        torch.empty(len(pair), len(pixel), dtype=dtype),
        share[pair, side],
        num_present[pair, side],
    )


def _fill(view: ViewTerms, row: int, points: Tensor, conf: Tensor, options: DenseOptions) -> None:
    """Write one side of a pair."""
    points, conf = points[view.pixel].to(view.xy), conf[view.pixel].to(view.xy)
    absent = conf == 0
    points[absent] = 0
    largest = points.abs().max() if points.numel() else points.new_zeros(())
    if largest > 0:
        # Half precision ends at 65504 and loses digits below 6e-5, wherever a network's unit of length lies.
        view.unit[row] = torch.exp2(largest.log2().ceil() - 15)
    view.points[row] = (points / view.unit[row]).T
    # Selected, not multiplied: the logarithm of an absent confidence is infinite.
    view.weight[row] = torch.where(absent, 0, CONF_TRANSFORMS[options.conf_transform](conf))


def thinned(terms: DenseTerms, num_pixels: int) -> DenseTerms:
    """Return the terms of a grid of every k-th row and column, k such that about `num_pixels` of a view's
    present pixels remain; losses stay comparable.
    """
    return replace(
        terms,
        views=tuple(_thinned(view, size[1], num_pixels) for view, size in zip(terms.views, terms.sizes)),
    )


def _thinned(view: ViewTerms, width: int, num_pixels: int) -> ViewTerms:
    step = max(round(math.sqrt(len(view.pixel) / num_pixels)), 1)
    if step == 1:
        return view
    x, y = view.pixel % width, view.pixel // width
    kept = ((x % step == step // 2) & (y % step == step // 2)).nonzero()[:, 0]
    return replace(
        view,
        pixel=view.pixel[kept],
        xy=view.xy[:, kept],
        points=view.points[:, :, kept],
        weight=view.weight[:, kept],
        share=view.share * (len(view.pixel) / max(len(kept), 1)),
    )
