"""The reference's two-stage descent (docs/sparse_alignment.md, "Two stages of Adam")."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from align.measurements.known_cameras import Known
from align.solver.adam import Moments, learning_rate
from align.sparse.camera_chain import CameraChain, Parameters, Placement, place
from align.sparse.losses import (
    FallbackTerms,
    MatchTerms,
    PriorTerms,
    fallback_terms,
    lift,
    loss_2d,
    loss_3d,
    loss_fallback,
    loss_priors,
    match_terms,
)
from align.sparse.options import SparseOptions, Stage
from align.sparse.problem import Problem
from align.sparse.robust import at_progress
from masks.progress import Progress, silent

StageLoss = Callable[[Parameters, Placement, float], Tensor]
"""Loss at parameters and their placement, when a share (0 to 1) of the stage is done."""


@dataclass(frozen=True, slots=True)
class StageTask:
    """What a stage lowers, and what it may move for that."""

    loss: StageLoss
    free: Parameters
    """Booleans in the shape of the parameters."""
    copies: int = 1
    """How often shared intrinsics are moved in an iteration."""


@dataclass(frozen=True, slots=True)
class Descent:
    """What a descent ended with."""

    placement: Placement
    """Cameras and depths of the last evaluated loss, before the last step."""
    parameters: Parameters
    """After the last step; those of the placement when it was stopped."""
    losses: Tensor  # (I,), of both stages in order, before each step
    rates: Tensor  # (I,), learning rates
    stopped: str
    """Why it ended: "finished", or what went wrong and where."""


def descend(
    problem: Problem,
    start: Parameters,
    chain: CameraChain,
    options: SparseOptions,
    known: Known | None = None,
    progress: Progress = silent,
) -> Descent:
    """Run the coarse stage, then the fine one from where it ended.

    Stops early, and says so, when a loss is not finite; the placement is then the last one with a finite
    loss. Memory grows with the number of matches. On a processor equal input gives equal bytes; a GPU sums
    the gradients of shared anchors in no fixed order.
    """
    fixed = (known or Known()).fixed_levels(problem.num_views).to(start.t)
    terms = _terms(problem, start, chain, options, fixed)
    coarse = StageTask(_coarse_loss(start, chain, options, terms), coarse_free(start, chain, options, fixed))
    first = run_stage(start, chain, options.coarse, coarse, _named(progress, "coarse"))
    if options.fine.steps == 0 or first.stopped != "finished":
        return first
    copies = (
        int((fixed < 1).sum())
        if options.intrinsics.steps_per_view and options.intrinsics.share == "all"
        else 1
    )
    fine = StageTask(_fine_loss(chain, options, terms), fine_free(start, chain, options, fixed), copies)
    second = run_stage(first.parameters, chain, options.fine, fine, _named(progress, "fine"))
    return replace(
        second, losses=torch.cat([first.losses, second.losses]), rates=torch.cat([first.rates, second.rates])
    )


def run_stage(
    start: Parameters,
    chain: CameraChain,
    stage: Stage,
    task: StageTask,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Descent:
    """Lower the loss of a task by Adam, in the stage's number of steps."""
    names = [field.name for field in fields(start) if bool(getattr(task.free, field.name).any())]
    moments = {name: Moments.zero(getattr(start, name)) for name in names}
    sound, parameters, placement, stopped = start, start, place(start, chain), "finished"
    losses, rates = [], []
    for step in range(stage.steps):
        leaves = {name: getattr(parameters, name).detach().requires_grad_() for name in names}
        at_leaves = replace(parameters, **leaves)
        tried = place(at_leaves, chain)
        loss = task.loss(at_leaves, tried, step / stage.steps)
        rate = learning_rate(stage.schedule, stage.rate, stage.final_rate, step / stage.steps)
        value = float(loss.detach())
        losses.append(value)
        rates.append(rate)
        if not math.isfinite(value):
            parameters, stopped = sound, f"loss {value} in step {step + 1} of {stage.steps}"
            break
        sound, placement = parameters, tried
        if loss.requires_grad:
            gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
            parameters = _stepped(parameters, task, moments, dict(zip(names, gradients)), rate)
        progress(step + 1, stage.steps)
    like = start.t
    return Descent(_detached(placement), parameters, like.new_tensor(losses), like.new_tensor(rates), stopped)


def _stepped(
    parameters: Parameters,
    task: StageTask,
    moments: dict[str, Moments],
    gradients: dict[str, Tensor | None],
    rate: float,
) -> Parameters:
    """Return the parameters after one iteration: Adam, then unit quaternions."""
    moved = {}
    for name, gradient in gradients.items():
        if gradient is None:
            continue
        value = getattr(parameters, name)
        # Selected, not multiplied: what is fixed has a gradient of exactly 0, whatever autograd says.
        gradient = torch.where(getattr(task.free, name), gradient, 0)
        for _ in range(task.copies if name in ("log_focal", "principal_point") else 1):
            value = moments[name].step(value, gradient, rate)
        moved[name] = value
    if "quat" in moved:
        # Only what moved: a fixed pose must not change by the rounding of its norm.
        unit = moved["quat"] / moved["quat"].norm(dim=1, keepdim=True)
        moved["quat"] = torch.where(task.free.quat, unit, moved["quat"])
    return replace(parameters, **moved)


def coarse_free(start: Parameters, chain: CameraChain, options: SparseOptions, fixed: Tensor) -> Parameters:
    """Return what the coarse stage may move: poses and scales of the views that aren't fixed."""
    free = fixed == 0
    posed = free.clone()
    if options.fix_root:
        posed[chain.tree.root] = False
    none = {
        name: torch.zeros_like(getattr(start, name), dtype=torch.bool)
        for name in ("log_focal", "principal_point", "depth_params")
    }
    return Parameters(
        quat=posed[:, None].expand_as(start.quat),
        t=posed[:, None].expand_as(start.t),
        log_scale=free,
        **none,
    )


def fine_free(start: Parameters, chain: CameraChain, options: SparseOptions, fixed: Tensor) -> Parameters:
    """Return what the fine stage may move: also focals, principal points and depths of the views that aren't
    wholly fixed.
    """
    free = fixed < 1
    camera = torch.zeros_like(start.log_focal, dtype=torch.bool)
    camera[chain.camera[free]] = True
    depth = torch.repeat_interleave(free, chain.depth_start.diff())
    return replace(
        coarse_free(start, chain, options, fixed),
        log_focal=camera & options.intrinsics.free_focal,
        principal_point=(camera & options.intrinsics.free_principal_point)[:, None].expand_as(
            start.principal_point
        ),
        depth_params=depth & options.free_depth,
    )


@dataclass(frozen=True, slots=True)
class _Terms:
    """Whatever contributes to the losses of both stages."""

    matches: MatchTerms | None
    fallback: FallbackTerms | None
    prior: PriorTerms | None

    def lift(self, placement: Placement, chain: CameraChain) -> tuple[Tensor | None, Tensor | None]:
        """Return the depths of matches and of the fallback's points."""
        matches, fallback = (
            None if terms is None else lift(terms.ends, placement, chain)
            for terms in (self.matches, self.fallback)
        )
        return matches, fallback


def _terms(
    problem: Problem, start: Parameters, chain: CameraChain, options: SparseOptions, fixed: Tensor
) -> _Terms:
    matches = match_terms(problem, options.good_conf, fixed)
    prior = None
    if options.priors.any:
        placement = place(start, chain)
        observations = matches.num_observations if matches is not None else torch.ones((), dtype=torch.int64)
        prior = PriorTerms(
            options.priors, start.log_focal, placement.R_world_from_cam, placement.centre, observations
        )
    return _Terms(matches, fallback_terms(problem, options.good_conf, fixed), prior)


def _coarse_loss(start: Parameters, chain: CameraChain, options: SparseOptions, terms: _Terms) -> StageLoss:
    """Return the loss of the coarse stage; focals and depths stand still, so the points are lifted
    here once.
    """
    depth, fallback_depth = terms.lift(place(start, chain), chain)

    def loss(parameters: Parameters, placement: Placement, progress: float) -> Tensor:
        total = _side_loss(terms, fallback_depth, parameters, placement, options)
        if terms.matches is None or depth is None:
            return total
        return loss_3d(terms.matches, depth, placement, at_progress(options.coarse.robust, progress)) + total

    return loss


def _fine_loss(chain: CameraChain, options: SparseOptions, terms: _Terms) -> StageLoss:
    """Return the loss of the fine stage."""

    def loss(parameters: Parameters, placement: Placement, progress: float) -> Tensor:
        depth, fallback_depth = terms.lift(placement, chain)
        total = _side_loss(terms, fallback_depth, parameters, placement, options)
        if terms.matches is None or depth is None:
            return total
        return loss_2d(terms.matches, depth, placement, at_progress(options.fine.robust, progress)) + total

    return loss


def _side_loss(
    terms: _Terms,
    depth: Tensor | None,
    parameters: Parameters,
    placement: Placement,
    options: SparseOptions,
) -> Tensor:
    """Return what both stages have in common: the fallback and the priors."""
    total = placement.centre.new_zeros(())
    if terms.fallback is not None and depth is not None:
        total = total + options.fallback_weight * loss_fallback(
            terms.fallback, depth, placement, options.fallback
        )
    return total if terms.prior is None else total + loss_priors(terms.prior, parameters, placement)


def _detached(placement: Placement) -> Placement:
    return replace(
        placement, **{field.name: getattr(placement, field.name).detach() for field in fields(placement)}
    )


def _named(progress: Progress, stage: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(stage, done, total)
