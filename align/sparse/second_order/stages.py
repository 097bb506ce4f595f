"""The reference's two stages by damped least squares: its losses, from its start, in a few dozen steps
(docs/sparse_alignment.md, "Damped least squares on the same losses").

Adam's chain of relative poses, its rates and its numbers of steps play no part. Each stage goes on until a
step gains next to nothing; the fine one first rounds off the kink that its function has at every match, and
sharpens it from step to step: from the coarse stage's end straight down, matches lock in that happen to be
near.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from align.measurements.known_cameras import Known
from align.pinhole import rays
from align.solver.least_squares import LevenbergMarquardtOptions, levenberg_marquardt
from align.sparse.camera_chain import CameraChain, Parameters, Placement
from align.sparse.losses import FallbackTerms, MatchTerms, fallback_terms, lift, match_terms
from align.sparse.options import SparseOptions, Stage
from align.sparse.problem import Problem
from align.sparse.robust import Sharpening, at_progress
from align.sparse.second_order.jacobians import SOURCE_CENTRE, TARGET_CENTRE, Row
from align.sparse.second_order.model import RobustTerm, SparseModel, with_kernel
from align.sparse.second_order.normal_equations import eliminated_depths
from align.sparse.second_order.observations import (
    TiledObservations,
    point_to_point_observations,
    point_to_pointmap_observations,
    reprojection_observations,
    tiled_pieces,
)
from align.sparse.second_order.priors import ModelPriors
from align.sparse.second_order.state import Constants, SparseState, constants_of, placement_of, state_of
from masks.errors import UserError
from masks.progress import Progress, silent

_COARSE = LevenbergMarquardtOptions(max_steps=100, relative_tolerance=1e-5, min_damping=1e-7)
"""From one side of the object to around it there are stretches of little gain."""
_CONTINUED = LevenbergMarquardtOptions(max_steps=1, min_damping=1e-7)
_LAST = LevenbergMarquardtOptions(max_steps=8, relative_tolerance=1e-4, min_damping=1e-7)
_WIDEST, _NARROWEST_PX, _NARROWING = 0.06, 0.15, 0.6
"""Smoothing of the fine stage: from so much of the image's diagonal, where matches act nearly alike, to below
what whole pixels can tell."""
_SHARPENED = (0.0, 0.5, 0.75, 0.9)
"""Shares of a coarse stage at which a function that sharpens is used in turn, before its end."""
_MOST_DAMPING = 1e-3
"""Handed from level to level: what a sharper function needed at its end would only slow the next one down."""
_LEAST_PX, _LEAST_SHARE = 1e-3, 1e-6
"""Distances below which weights grow no further: pixels, and in space a share of the least pivot depth."""


@dataclass(frozen=True, slots=True)
class SecondOrderDescent:
    """What the descent ended with."""

    placement: Placement
    losses: Tensor
    """The reference's loss, at the start of every stage and after every step under the stage's own
    function."""
    num_steps: int
    """All steps, under smoothed functions too."""
    stopped: str
    """Why it ended: "finished", or what went wrong and where."""


@dataclass(frozen=True, slots=True)
class StageInputs:
    """What both stages stand on."""

    constants: Constants
    chain: CameraChain
    options: SparseOptions
    fixed: np.ndarray  # (V,)
    matches: MatchTerms | None
    fallback: FallbackTerms | None
    priors: ModelPriors | None


@dataclass(frozen=True, slots=True)
class _StageResult:
    """One stage, done."""

    state: SparseState
    losses: tuple[float, ...]
    num_steps: int
    sound: bool


def descend_by_least_squares(
    problem: Problem,
    start: Parameters,
    chain: CameraChain,
    options: SparseOptions,
    known: Known | None = None,
    progress: Progress = silent,
) -> SecondOrderDescent:
    """Lower the coarse loss, then the fine one from where it ended; a stage of no steps is left out.

    Where no view is fixed the root's pose stays, and the smallest scale is 1 as in the reference. Fixed views
    stay to the bit, and the world's unit is theirs. Ignores learning rates, `fix_root` and `steps_per_view`.
    Raises `UserError` for depths in a low-rank basis. Runs on the processor,
    in double precision; memory grows with the number of matches; equal input gives equal bytes.
    """
    if options.depth.low_rank is not None:
        raise UserError(
            "solver least-squares: a low-rank basis of depths ties all anchors of a view together. Use the "
            "solver adam for it."
        )
    inputs = stage_inputs(problem, start, chain, options, known or Known())
    state = state_of(start, chain, inputs.constants)
    losses: list[float] = []
    num_steps, stopped = 0, "finished"
    for name, stage, model_of in (
        ("coarse", options.coarse, coarse_model),
        ("fine", options.fine, fine_model),
    ):
        model = model_of(inputs, state) if stage.steps else None
        if model is None:
            continue
        schedule = tuple(_continuation_schedule(model, stage, name == "fine"))
        outcome = _descended(schedule, state, _named(progress, name, len(schedule)))
        state, losses, num_steps = outcome.state, losses + list(outcome.losses), num_steps + outcome.num_steps
        if not outcome.sound:
            stopped = f"loss {outcome.losses[-1]} at the start of the {name} stage"
            break
    return SecondOrderDescent(
        placement_of(state, chain), torch.tensor(losses, dtype=torch.float64), num_steps, stopped
    )


def _named(progress: Progress, stage: str, total: int) -> Callable[[int], None]:
    return lambda done: progress(stage, done, total)


def stage_inputs(
    problem: Problem, start: Parameters, chain: CameraChain, options: SparseOptions, known: Known
) -> StageInputs:
    """Return what the stages have in common: the terms of Adam's losses, and what the state is
    relative to.
    """
    fixed, constants = known.fixed_levels(problem.num_views), constants_of(chain)
    matches = match_terms(problem, options.good_conf, fixed)
    priors = None
    if options.priors.any:
        count = 1 if matches is None else int(matches.num_observations)
        priors = ModelPriors(options.priors, state_of(start, chain, constants), count)
    return StageInputs(
        constants,
        chain,
        options,
        fixed.numpy(),
        matches,
        fallback_terms(problem, options.good_conf, fixed),
        priors,
    )


def coarse_model(inputs: StageInputs, state: SparseState) -> SparseModel | None:
    """Return the model of poses and scales, by distances between matched points."""
    terms = inputs.matches
    if terms is None or not bool(terms.weight.any()):
        return _model(inputs, _fallback(inputs), False)
    return _model(
        inputs,
        (point_to_point_observations(terms, _other_ends(terms, state, inputs.chain)), *_fallback(inputs)),
        False,
    )


def fine_model(inputs: StageInputs, state: SparseState) -> SparseModel | None:
    """Return the model of everything that the options let move, by distances between matched pixels."""
    terms = inputs.matches
    if terms is None or not bool(terms.pixel_weight.any()):
        return _model(inputs, _fallback(inputs), True)
    return _model(inputs, (reprojection_observations(terms), *_fallback(inputs)), True)


def _fallback(inputs: StageInputs) -> tuple[TiledObservations, ...]:
    return (
        ()
        if inputs.fallback is None
        else (point_to_pointmap_observations(inputs.fallback, inputs.options.fallback_weight),)
    )


def _other_ends(terms: MatchTerms, state: SparseState, chain: CameraChain) -> np.ndarray:
    """Return the second ends' points (T, 3, S) in their views' frames and scales; the coarse stage moves none
    of what they depend on.
    """
    placement, view = placement_of(state, chain), terms.ends.view[terms.ends.group, 1]
    K, depth = placement.K[view], lift(terms.ends, placement, chain)[:, 1]
    xy = terms.ends.pixel[:, 1, :2].mT  # (T, S, 2)
    points = rays(xy, K[:, 0, 0, None, None], K[:, None, :2, 2]) * depth[..., None]
    return points.mT.double().numpy()


def _model(inputs: StageInputs, all_obs: tuple[TiledObservations, ...], fine: bool) -> SparseModel | None:
    """Return the model of some observations; none without any."""
    if not all_obs:
        return None
    options, constants, fixed = inputs.options, inputs.constants, inputs.fixed > 0
    eliminate = fine and options.free_depth
    pose, camera = ~fixed, np.zeros(constants.log_focal_range.shape[1], bool)
    # A fixed view is the gauge where there is one.
    pose[constants.root] &= bool(fixed.any())
    camera[constants.camera[inputs.fixed < 1]] = fine
    focal, centre = camera & options.intrinsics.free_focal, camera & options.intrinsics.free_principal_point
    least = _LEAST_SHARE * float(constants.pivot_depth.min())
    return SparseModel(
        # The stage's own function comes with its levels.
        terms=tuple(
            RobustTerm(
                obs,
                tuple(tiled_pieces(obs)),
                options.fallback,
                _LEAST_PX if obs.kind == "reprojection" else least,
            )
            for obs in all_obs
        ),
        constants=constants,
        depth=options.depth,
        eliminated=eliminated_depths(all_obs, constants.anchor_view, inputs.fixed < 1) if eliminate else None,
        priors=inputs.priors,
        # With free anchor depths the view's scale is redundant: along it the matrix would be singular.
        free=np.concatenate([np.repeat(pose, 6), ~fixed & (not eliminate), focal, np.repeat(centre, 2)]),
        num_rows=TARGET_CENTRE.stop
        if centre.any()
        else SOURCE_CENTRE.start
        if focal.any()
        else Row.SOURCE_LOG_FOCAL,
        bounded=not eliminate and not fixed.any(),
    )


def _continuation_schedule(
    model: SparseModel, stage: Stage, fine: bool
) -> Iterator[tuple[SparseModel, LevenbergMarquardtOptions]]:
    """Yield the models to descend in turn; the last one is the stage's own at its end."""
    if fine:
        smoothing = _smoothing(model.constants)
        for k, smooth in enumerate(smoothing):
            yield with_kernel(model, at_progress(stage.robust, k / len(smoothing)), smooth), _CONTINUED
    elif isinstance(stage.robust, Sharpening):
        for progress in _SHARPENED:
            yield with_kernel(model, at_progress(stage.robust, progress)), _COARSE
    yield (
        with_kernel(model, at_progress(stage.robust, (stage.steps - 1) / stage.steps)),
        _LAST if fine else _COARSE,
    )


def _smoothing(constants: Constants) -> list[float]:
    """Return the distances in pixels by which the fine stage is smoothed, one after the other."""
    widest = _WIDEST * float(np.linalg.norm(constants.size, axis=1).mean())
    count = math.ceil(math.log(max(widest / _NARROWEST_PX, 1)) / -math.log(_NARROWING))
    return [widest * _NARROWING**k for k in range(count)]


def _descended(
    schedule: tuple[tuple[SparseModel, LevenbergMarquardtOptions], ...],
    start: SparseState,
    progress: Callable[[int], None],
) -> _StageResult:
    """Return where the levels lead in turn. What they end in is no higher than the start under the
    last one.
    """
    last = schedule[-1][0]
    first_loss = last.cost(start)
    if not math.isfinite(first_loss):
        return _StageResult(start, (first_loss,), 0, False)
    state, losses, num_steps, damping = start, (first_loss,), 0, _MOST_DAMPING
    for k, (model, solver_options) in enumerate(schedule):
        # Smoothed functions may lead uphill for the stage's own one: then it goes down from the start itself.
        if model is last and k and not last.cost(state) <= first_loss:
            state = start
        state, descent = levenberg_marquardt(
            model, state, model.free, replace(solver_options, initial_damping=min(damping, _MOST_DAMPING))
        )
        num_steps, damping = num_steps + len(descent.costs) - 1, descent.damping
        if model is last:
            losses += descent.costs if k else descent.costs[1:]
        progress(k + 1)
    return _StageResult(_following(last, start, state), losses, num_steps, True)


def _following(model: SparseModel, start: SparseState, end: SparseState) -> SparseState:
    """Return the end with the anchors on which no match hangs moved like the others of their view, in the
    median.
    """
    if model.eliminated is None:
        return end
    anchor, view = model.eliminated.anchor, model.constants.anchor_view
    present = (anchor >= 0) & (start.shape[anchor] != 0)
    ratio = np.where(present, end.shape[anchor] / np.where(present, start.shape[anchor], 1), np.nan)
    typical, some = np.ones(len(anchor)), present.any(1)
    typical[some] = np.nanmedian(ratio[some], axis=1)
    return replace(end, shape=np.where(model.eliminated.index < 0, end.shape * typical[view], end.shape))
