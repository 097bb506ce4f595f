"""The sparse problem, from where its descent starts to what is handed on, whichever solver descends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from align.agreement import Agreement, agreement_notices
from align.aligned import Aligned
from align.initial.spanning_tree import build_tree
from align.measurements.gathered import Measurements
from align.measurements.known_cameras import Known, principal_point_of
from align.sparse.adam import Descent, descend
from align.sparse.camera_chain import CameraChain, Placement, place
from align.sparse.condense import condense
from align.sparse.densify import densify
from align.sparse.options import SparseOptions
from align.sparse.problem import Problem
from align.sparse.second_order.stages import SecondOrderDescent, descend_by_least_squares
from align.sparse.self_check import is_worse, self_check
from align.sparse.start import start
from masks.notice import Notice, info, warning
from masks.progress import Progress
from pairs.views.cameras import Cameras

_DOUBTFUL_SHARE = 0.4
"""Solved scenes have 0.42 and more even with twice the usual noise
(docs/bundle_alignment.md, "Consistency checks")."""


@dataclass(frozen=True, slots=True)
class _Solved:
    """Where the descent ended, where it began, and which of both is handed on."""

    problem: Problem
    chain: CameraChain
    placement: Placement
    before: Agreement
    after: Agreement
    descent: Descent | SecondOrderDescent
    kept: bool

    @property
    def agreement(self) -> Agreement:
        """That of what is handed on."""
        return self.after if self.kept else self.before


def sparse_align(
    measurements: Measurements, options: SparseOptions, known: Known, progress: Progress
) -> Aligned:
    """Descend from one place, as published; where the poses of all views are known, from these.

    A descent that ends worse than its start by its own matches is thrown away, and a warning says so.
    """
    views = measurements.predictions.views
    solved = _solve(measurements, options, known, progress)
    placement = solved.placement
    cameras = Cameras(placement.K.numpy(), placement.cam_from_world.numpy())
    dense = densify(measurements.views, placement, solved.chain)
    return Aligned(cameras, tuple(dense), _verdict(solved, [view.name for view in views]), _figures(solved))


def _solve(measurements: Measurements, options: SparseOptions, known: Known, progress: Progress) -> _Solved:
    predictions = measurements.predictions
    centres = torch.stack(
        [principal_point_of(view, predictions, k) for k, view in enumerate(predictions.views)]
    )
    problem = condense(measurements.views, measurements.records, centres)
    tree = build_tree(problem.pair_scores.numpy(), problem.size.numpy(), options.tree, options.subsample)
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


def _verdict(solved: _Solved, names: Sequence[str]) -> tuple[Notice, ...]:
    """Return what became of the descent, and what the matches say of what is handed on."""
    before, after = solved.before, solved.after
    figures = (
        f"mean reprojection error, cut at 2 px: {before.cut_mean_px:.3f} -> {after.cut_mean_px:.3f} px of "
        "the grid"
    )
    if solved.kept:
        text = f"{figures}; within 2 px: {100 * after.near_share:.0f} % of the matches."
        verdict = info("alignment", text)
    elif solved.descent.stopped != "finished":
        text = f"the refinement broke off ({solved.descent.stopped}): its start is kept."
        verdict = warning("alignment", text)
    else:
        text = f"the refinement ended worse than it began ({figures}): its start is kept."
        verdict = warning("alignment", text)
    return (verdict, *agreement_notices(solved.agreement, names, _DOUBTFUL_SHARE))


def _figures(solved: _Solved) -> dict[str, Any]:
    descent, losses = solved.descent, solved.descent.losses
    last_loss = float(losses[-1]) if len(losses) else math.nan
    return {
        "refinement kept": solved.kept,
        "steps": descent.num_steps if isinstance(descent, SecondOrderDescent) else len(losses),
        "final loss": last_loss if math.isfinite(last_loss) else None,
        "matches": int(solved.problem.match_start[-1]),
        **solved.agreement.figures(),
        "at the start": solved.before.figures(),
    }
