"""The reference's problem, from where its descent starts to what is handed on, whichever solver descends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from align.aligned import Aligned
from align.initial.spanning_tree import build_tree
from align.measurements.gathered import Measurements
from align.measurements.known_cameras import backend_cameras, principal_point_of
from align.sparse.adam import Descent, descend
from align.sparse.camera_chain import CameraChain, Placement, place
from align.sparse.condense import condense
from align.sparse.densify import densify
from align.sparse.options import SparseOptions
from align.sparse.problem import Problem
from align.sparse.second_order.stages import SecondOrderDescent, descend_by_least_squares
from align.sparse.self_check import SelfCheck, is_worse, self_check
from align.sparse.start import start
from masks.notice import Notice, info, warning
from masks.progress import Progress
from pairs.views.cameras import Cameras
from pairs.views.view import View

_LEAST_SHARE = 0.15
"""A view of whose matches fewer agree is misplaced, however the others do (the default aligner's design,
chapter 5)."""
_DOUBTFUL_SHARE = 0.4
"""Solved scenes have 0.42 and more even with twice the usual noise (the default aligner's design,
chapter 5)."""
_UNMATCHED_SCORE = 1e-3
"""Score of a pair without matches whose cameras are known: the chain must reach every view, through such a
pair last of all."""


@dataclass(frozen=True, slots=True)
class _Solved:
    """Where the descent ended, where it began, and which of both is handed on."""

    problem: Problem
    chain: CameraChain
    placement: Placement
    before: SelfCheck
    after: SelfCheck
    descent: Descent | SecondOrderDescent
    kept: bool


def sparse_align(measurements: Measurements, options: SparseOptions, progress: Progress) -> Aligned:
    """Descend from the backend's own cameras, whose K is held, where the predictions have some; else as the
    reference does, from one place.

    A descent that ends worse than its start by its own matches is thrown away, and a warning says so.
    """
    views = measurements.predictions.views
    solved = _solve(measurements, options, progress)
    placement = solved.placement
    cameras = Cameras(placement.K.numpy(), placement.cam_from_world.numpy())
    dense = densify(measurements.views, placement, solved.chain)
    return Aligned(cameras, tuple(dense), tuple(_verdict(solved, views)), _figures(solved))


def _solve(measurements: Measurements, options: SparseOptions, progress: Progress) -> _Solved:
    predictions = measurements.predictions
    centres = torch.stack(
        [principal_point_of(view, predictions, k) for k, view in enumerate(predictions.views)]
    )
    problem = condense(measurements.views, measurements.records, centres)
    scores = problem.pair_scores
    if predictions.cameras is not None:
        scores = scores + _UNMATCHED_SCORE * (1 - torch.eye(problem.num_views).to(scores))
    tree = build_tree(scores.numpy(), problem.size.numpy(), options.tree, options.subsample)
    known = backend_cameras(measurements)
    parameters, chain = start(problem, tree, options, known)
    begin = place(parameters, chain)
    solver = descend if options.solver == "adam" else descend_by_least_squares
    descent = solver(
        problem,
        parameters,
        chain,
        options,
        known,
        lambda stage, done, total: progress(f"aligning, {stage}", done, total),
    )
    before, after = self_check(problem, chain, begin), self_check(problem, chain, descent.placement)
    kept = bool(descent.stopped == "finished" and not is_worse(after, before))
    return _Solved(problem, chain, descent.placement if kept else begin, before, after, descent, kept)


def _verdict(solved: _Solved, views: Sequence[View]) -> list[Notice]:
    before, after = solved.before, solved.after
    figures = (
        f"mean reprojection error, cut at 2 px: {before.cut_mean_px:.3f} -> {after.cut_mean_px:.3f} px of "
        "the grid"
    )
    notices = []
    if solved.kept:
        notices.append(
            info("alignment", f"{figures}; within 2 px: {100 * after.near_share:.0f} % of the matches.")
        )
    elif solved.descent.stopped != "finished":
        notices.append(
            warning("alignment", f"the refinement broke off ({solved.descent.stopped}): its start is kept.")
        )
    else:
        notices.append(
            warning("alignment", f"the refinement ended worse than it began ({figures}): its start is kept.")
        )
    chosen = after if solved.kept else before
    if chosen.near_share < _DOUBTFUL_SHARE:
        text = (
            f"only {100 * chosen.near_share:.0f} % of the matches agree with the scene within 2 px: it is "
            "doubtful. Check masks and predictions."
        )
        notices.append(warning("alignment", text))
    shares = np.array(chosen.view_near_share)
    typical = np.nanmedian(shares) if not np.isnan(shares).all() else np.nan
    for view, share in zip(views, shares):
        if np.isnan(share):
            notices.append(
                warning(view.name, "has no matches: its camera is where the backend put it, unchecked.")
            )
        elif share < max(_LEAST_SHARE, typical / 2):
            text = (
                f"only {100 * share:.0f} % of its matches agree with its place within 2 px "
                f"({100 * typical:.0f} % is usual): perhaps misplaced."
            )
            notices.append(warning(view.name, text))
    return notices


def _figures(solved: _Solved) -> dict[str, Any]:
    descent, before, after = solved.descent, solved.before, solved.after
    losses = descent.losses
    return {
        "refinement kept": solved.kept,
        "steps": descent.num_steps if isinstance(descent, SecondOrderDescent) else len(losses),
        "final loss": _number(losses[-1]) if len(losses) else None,
        "matches": int(solved.problem.match_start[-1]),
        "median reprojection error px": {"start": _number(before.median_px), "end": _number(after.median_px)},
        "mean reprojection error cut at 2 px": {
            "start": _number(before.cut_mean_px),
            "end": _number(after.cut_mean_px),
        },
        "share within 2 px": {"start": _number(before.near_share), "end": _number(after.near_share)},
    }


def _number(value: float | torch.Tensor) -> float | None:
    """Return a number as JSON knows it: none where it is not finite."""
    return float(value) if math.isfinite(value) else None
