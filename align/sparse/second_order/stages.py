"""The reference's two stages by damped least squares: its losses, from its start, in a few dozen steps (the
sparse aligner's specification).

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
from align.solver.least_squares import Control, minimise
from align.sparse.camera_chain import CameraChain, Parameters, Placement
from align.sparse.losses import FallbackTerms, MatchTerms, fallback_terms, lift, match_terms
from align.sparse.options import ReferenceOptions, Stage
from align.sparse.problem import Problem
from align.sparse.robust import Sharpening, at_progress
from align.sparse.second_order.jacobians import SOURCE_CENTRE, SOURCE_FOCAL, TARGET_CENTRE
from align.sparse.second_order.model import Part, ReferenceModel, under
from align.sparse.second_order.normal_equations import lones_of
from align.sparse.second_order.observations import (
    Links,
    in_pieces,
    meeting_links,
    predicted_links,
    sight_links,
)
from align.sparse.second_order.priors import ModelPriors
from align.sparse.second_order.state import ReferenceState, Setting, placement_of, setting_of, state_of
from masks.errors import UserError
from masks.progress import Progress, silent

_COARSE = Control(max_steps=100, least_gain=1e-5, least_damping=1e-7)
"""From one side of the object to around it there are stretches of little gain."""
_LEVEL = Control(max_steps=1, least_damping=1e-7)
_LAST = Control(max_steps=8, least_gain=1e-4, least_damping=1e-7)
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
class ReferenceDescent:
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
class Ground:
    """What both stages stand on."""

    setting: Setting
    chain: CameraChain
    options: ReferenceOptions
    freeze: np.ndarray  # (V,)
    matches: MatchTerms | None
    fallback: FallbackTerms | None
    priors: ModelPriors | None


@dataclass(frozen=True, slots=True)
class _Leg:
    """One stage, done."""

    state: ReferenceState
    losses: tuple[float, ...]
    num_steps: int
    sound: bool


def descend_by_least_squares(
    problem: Problem,
    start: Parameters,
    chain: CameraChain,
    options: ReferenceOptions,
    known: Known | None = None,
    progress: Progress = silent,
) -> ReferenceDescent:
    """Lower the coarse loss, then the fine one from where it ended; a stage of no steps is left out.

    Where no view is frozen the root's pose stays, and the smallest size is 1 as in the reference. Frozen
    views stay to the bit, and the world's unit is theirs. Whatever the options say of rates, of the root and
    of steps per view is not heard. Raises `UserError` for depths in a low-rank basis. Runs on the processor,
    in double precision; memory grows with the number of matches; equal input gives equal bytes.
    """
    if options.depth.low_rank is not None:
        raise UserError(
            "solver gauss-newton: a low-rank basis of depths ties all anchors of a view together. Use the "
            "solver adam for it."
        )
    ground = ground_of(problem, start, chain, options, known or Known())
    state = state_of(start, chain, ground.setting)
    losses: list[float] = []
    num_steps, stopped = 0, "finished"
    for name, stage, model_of in (
        ("coarse", options.coarse, coarse_model),
        ("fine", options.fine, fine_model),
    ):
        model = model_of(ground, state) if stage.steps else None
        if model is None:
            continue
        levels = tuple(_levels(model, stage, name == "fine"))
        leg = _descended(levels, state, _named(progress, name, len(levels)))
        state, losses, num_steps = leg.state, losses + list(leg.losses), num_steps + leg.num_steps
        if not leg.sound:
            stopped = f"loss {leg.losses[-1]} at the start of the {name} stage"
            break
    return ReferenceDescent(
        placement_of(state, chain), torch.tensor(losses, dtype=torch.float64), num_steps, stopped
    )


def _named(progress: Progress, stage: str, total: int) -> Callable[[int], None]:
    return lambda done: progress(stage, done, total)


def ground_of(
    problem: Problem, start: Parameters, chain: CameraChain, options: ReferenceOptions, known: Known
) -> Ground:
    """Return what the stages have in common: the terms of Adam's losses, and what the state is
    relative to.
    """
    freeze, setting = known.freeze_of(problem.num_views), setting_of(chain)
    matches = match_terms(problem, options.good_conf, freeze)
    priors = None
    if options.priors.any:
        count = 1 if matches is None else int(matches.num_observations)
        priors = ModelPriors(options.priors, state_of(start, chain, setting), count)
    return Ground(
        setting,
        chain,
        options,
        freeze.numpy(),
        matches,
        fallback_terms(problem, options.good_conf, freeze),
        priors,
    )


def coarse_model(ground: Ground, state: ReferenceState) -> ReferenceModel | None:
    """Return the model of poses and sizes, by distances between matched points (chapter 9.3)."""
    terms = ground.matches
    if terms is None or not bool(terms.weight.any()):
        return _model(ground, _fallback(ground), False)
    return _model(
        ground, (meeting_links(terms, _other_ends(terms, state, ground.chain)), *_fallback(ground)), False
    )


def fine_model(ground: Ground, state: ReferenceState) -> ReferenceModel | None:
    """Return the model of everything that the options let move, by distances between matched pixels (chapter
    9.4).
    """
    terms = ground.matches
    if terms is None or not bool(terms.pixel_weight.any()):
        return _model(ground, _fallback(ground), True)
    return _model(ground, (sight_links(terms), *_fallback(ground)), True)


def _fallback(ground: Ground) -> tuple[Links, ...]:
    return (
        () if ground.fallback is None else (predicted_links(ground.fallback, ground.options.fallback_weight),)
    )


def _other_ends(terms: MatchTerms, state: ReferenceState, chain: CameraChain) -> np.ndarray:
    """Return the second ends' points (T, 3, S) in their views' frames and scales; the coarse stage moves none
    of what they depend on.
    """
    placement, view = placement_of(state, chain), terms.ends.view[terms.ends.group, 1]
    K, depth = placement.K[view], lift(terms.ends, placement, chain)[:, 1]
    xy = (terms.ends.pixel[:, 1, :2] - K[:, :2, 2, None]) / K[:, 0, 0, None, None]
    return torch.cat([xy * depth[:, None], depth[:, None]], 1).double().numpy()


def _model(ground: Ground, all_links: tuple[Links, ...], fine: bool) -> ReferenceModel | None:
    """Return the model of some links; none without any."""
    if not all_links:
        return None
    options, setting, frozen = ground.options, ground.setting, ground.freeze > 0
    alone = fine and options.free_depth
    pose, camera = ~frozen, np.zeros(setting.log_focal_range.shape[1], bool)
    # A frozen view is the gauge where there is one.
    pose[setting.root] &= bool(frozen.any())
    camera[setting.camera[ground.freeze < 1]] = fine
    focal, centre = camera & options.intrinsics.free_focal, camera & options.intrinsics.free_principal_point
    least = _LEAST_SHARE * float(setting.pivot_depth.min())
    return ReferenceModel(
        # The stage's own function comes with its levels.
        parts=tuple(
            Part(
                links,
                tuple(in_pieces(links)),
                options.fallback,
                _LEAST_PX if links.kind == "pixel" else least,
            )
            for links in all_links
        ),
        setting=setting,
        depth=options.depth,
        lones=lones_of(all_links, setting.anchor_view, ground.freeze < 1) if alone else None,
        priors=ground.priors,
        # A view whose depths are free has no need of a size.
        free=np.concatenate([np.repeat(pose, 6), ~frozen & (not alone), focal, np.repeat(centre, 2)]),
        num_rows=TARGET_CENTRE.stop if centre.any() else SOURCE_CENTRE.start if focal.any() else SOURCE_FOCAL,
        bounded=not alone and not frozen.any(),
    )


def _levels(model: ReferenceModel, stage: Stage, fine: bool) -> Iterator[tuple[ReferenceModel, Control]]:
    """Yield the models to descend in turn; the last one is the stage's own at its end."""
    if fine:
        smoothing = _smoothing(model.setting)
        for k, smooth in enumerate(smoothing):
            yield under(model, at_progress(stage.robust, k / len(smoothing)), smooth), _LEVEL
    elif isinstance(stage.robust, Sharpening):
        for progress in _SHARPENED:
            yield under(model, at_progress(stage.robust, progress)), _COARSE
    yield under(model, at_progress(stage.robust, (stage.steps - 1) / stage.steps)), _LAST if fine else _COARSE


def _smoothing(setting: Setting) -> list[float]:
    """Return the distances in pixels by which the fine stage is smoothed, one after the other."""
    widest = _WIDEST * float(np.linalg.norm(setting.size, axis=1).mean())
    count = math.ceil(math.log(max(widest / _NARROWEST_PX, 1)) / -math.log(_NARROWING))
    return [widest * _NARROWING**k for k in range(count)]


def _descended(
    levels: tuple[tuple[ReferenceModel, Control], ...], start: ReferenceState, progress: Callable[[int], None]
) -> _Leg:
    """Return where the levels lead in turn. What they end in is no higher than the start under the
    last one.
    """
    last = levels[-1][0]
    first_loss = last.cost(start)
    if not math.isfinite(first_loss):
        return _Leg(start, (first_loss,), 0, False)
    state, losses, num_steps, damping = start, (first_loss,), 0, _MOST_DAMPING
    for k, (model, control) in enumerate(levels):
        if model is last and k and not last.cost(state) <= first_loss:
            state = start
        state, descent = minimise(
            model, state, model.free, replace(control, first_damping=min(damping, _MOST_DAMPING))
        )
        num_steps, damping = num_steps + len(descent.costs) - 1, descent.damping
        if model is last:
            losses += descent.costs if k else descent.costs[1:]
        progress(k + 1)
    return _Leg(_following(last, start, state), losses, num_steps, True)


def _following(model: ReferenceModel, start: ReferenceState, end: ReferenceState) -> ReferenceState:
    """Return the end with the anchors on which no match hangs moved like the others of their view, in the
    median.
    """
    if model.lones is None:
        return end
    anchor, view = model.lones.anchor, model.setting.anchor_view
    present = (anchor >= 0) & (start.shape[anchor] != 0)
    ratio = np.where(present, end.shape[anchor] / np.where(present, start.shape[anchor], 1), np.nan)
    typical, some = np.ones(len(anchor)), present.any(1)
    typical[some] = np.nanmedian(ratio[some], axis=1)
    return replace(end, shape=np.where(model.lones.place < 0, end.shape * typical[view], end.shape))
