"""The aligner's solvers on one simulated scene: where they end and what they cost.

Every solver begins with the gathered predictions (read, canonical views made) and ends with cameras and
depths; only what lies between is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from memory import forget_peak, memory_mb
from per_pair import flat_parameters, plain_descent, plain_parameters, plain_problem
from simulated import Recipe, Simulated, simulated

from align.bundle.block_depth import block_depth
from align.bundle.bundle_alignment import BundleSolution, bundle_adjust
from align.bundle.options import BundleOptions
from align.initial.spanning_tree import build_tree
from align.measurements.gather import gather
from align.measurements.gathered import Measurements
from align.measurements.known_cameras import principal_point_of
from align.presets import POINTLOOM, PRESETS, Preset
from align.sparse.adam import descend
from align.sparse.camera_chain import CameraChain, Parameters, Placement, place
from align.sparse.condense import condense
from align.sparse.densify import densify
from align.sparse.losses import lift, loss_2d, match_terms
from align.sparse.options import MAST3R
from align.sparse.problem import Problem, cast
from align.sparse.robust import Gamma
from align.sparse.second_order.stages import descend_by_least_squares
from align.sparse.start import start
from masks.progress import silent


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of a solver's work: so many equal steps."""

    steps: int
    seconds: float
    """CPU seconds of all its steps."""


@dataclass(frozen=True, slots=True)
class Run:
    """Where a solver ended, and what that took."""

    result: Placement | BundleSolution
    seconds: float
    """CPU seconds of everything after the canonical views."""
    stages: tuple[Stage, ...]
    whole: bool = True
    """Whether the schedule went to its end; if not, `seconds` is what the whole of it would take at the pace
    that was measured."""


@dataclass(frozen=True, slots=True)
class Solved:
    """The cameras and depths of a result."""

    cam_from_world: np.ndarray  # (V, 4, 4)
    K: np.ndarray  # (V, 3, 3)
    depth: tuple[np.ndarray, ...]  # (H, W) each; NaN where there is none
    pixel_loss: float
    """The reference's fine loss (docs/sparse_alignment.md, "Losses") with these cameras and depths, in double
    precision."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A solver's result and all that is told of the run."""

    solved: Solved
    seconds: float
    stages: tuple[Stage, ...]
    whole: bool
    peak_mb: float
    """Largest resident memory while it worked, less what the process held before (with the gathered
    predictions)."""
    num_pairs: int
    num_observations: int
    """Matches, each seen both ways."""
    gather_seconds: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of a long schedule is run."""

    plain_steps: int | None = None
    """Iterations of each stage of the plain descent; none: all."""
    repeats: int = 3
    """Runs of a solver that takes a fraction of a second; the fastest counts."""


Solver = Callable[[Measurements, Pace], Run]


def measure(recipe: Recipe, solver: str, folder: Path, pace: Pace) -> Cost:
    """Run one solver on one scene. Meant for a process of its own: memory of others would count."""
    torch.set_num_threads(1)
    scene = simulated(recipe, folder)
    preset, solve = SOLVERS[solver]
    began = time.process_time()
    measurements = gather(scene.predictions, preset.aligner.reading, silent)
    gathering = time.process_time() - began
    forget_peak()
    held = memory_mb("VmRSS")
    run = solve(measurements, pace)
    peak = memory_mb("VmHWM") - held
    solved = (
        _of_blocks(measurements, run.result)
        if isinstance(run.result, BundleSolution)
        else _of_placement(measurements, run.result)
    )
    num_matches = sum(len(record.conf) for record in measurements.records)
    return Cost(
        solved,
        run.seconds,
        run.stages,
        run.whole,
        peak,
        len(measurements.records),
        2 * num_matches,
        gathering,
    )


def _plain(measurements: Measurements, pace: Pace) -> Run:
    """Descend as the reference does: single precision, a loop over pairs."""
    began = time.process_time()
    problem, parameters, chain = _started(measurements, torch.float32)
    cut, plain = plain_problem(problem, chain), plain_parameters(parameters, chain)
    ready = time.process_time()
    schedule = (MAST3R.coarse, MAST3R.fine)
    counts = [
        stage.steps if pace.plain_steps is None else min(pace.plain_steps, stage.steps) for stage in schedule
    ]
    runs = plain_descent(plain, cut, MAST3R, (counts[0], counts[1]))
    stages = tuple(
        Stage(stage.steps, run.seconds * stage.steps / count)
        for stage, run, count in zip(schedule, runs, counts)
    )
    seconds = ready - began + sum(stage.seconds for stage in stages)
    return Run(_doubled(place(flat_parameters(plain), chain)), seconds, stages, pace.plain_steps is None)


def _vectorised(measurements: Measurements, dtype: torch.dtype) -> Run:
    """Take the same steps over all pairs at once."""
    began = time.process_time()
    problem, parameters, chain = _started(measurements, dtype)
    ready, ends = time.process_time(), {}

    def progress(stage: str, done: int, total: int) -> None:
        ends[stage] = (done, time.process_time())

    descent = descend(problem, parameters, chain, MAST3R, progress=progress)
    (coarse, halfway), (fine, ended) = ends["coarse"], ends["fine"]
    return Run(
        _doubled(descent.placement),
        ended - began,
        (Stage(coarse, halfway - ready), Stage(fine, ended - halfway)),
    )


def _least_squares(measurements: Measurements, pace: Pace) -> Run:
    """Minimise the same losses from the same start by damped least squares; the fastest of some runs
    counts.
    """
    runs = []
    for _ in range(pace.repeats):
        began = time.process_time()
        problem, parameters, chain = _started(measurements)
        ready = time.process_time()
        descent = descend_by_least_squares(problem, parameters, chain, MAST3R)
        ended = time.process_time()
        runs.append(Run(descent.placement, ended - began, (Stage(descent.num_steps, ended - ready),)))
    return min(runs, key=lambda run: run.seconds)


def _default(measurements: Measurements, pace: Pace) -> Run:
    """Run the default aligner; the fastest of some runs counts."""
    runs = [_timed_default(measurements) for _ in range(pace.repeats)]
    (stage,) = runs[0].stages
    return Run(
        runs[0].result,
        min(run.seconds for run in runs),
        (Stage(stage.steps, min(run.stages[0].seconds for run in runs)),),
    )


def _timed_default(measurements: Measurements) -> Run:
    """Run it once. The steps of its first cut are timed together with the start, hence told by the pace of
    the others.
    """
    times: list[float] = []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "aligning" and done:
            times.append(time.process_time())

    began = time.process_time()
    solution = bundle_adjust(measurements, BundleOptions(), progress=progress)
    seconds = time.process_time() - began
    counts = [len(costs) - 1 for costs in solution.figures["costs"]]
    pace = (times[len(counts) - 1] - times[0]) / max(sum(counts[1:]), 1)
    return Run(solution, seconds, (Stage(sum(counts), pace * sum(counts)),))


SOLVERS: dict[str, tuple[Preset, Solver]] = {
    "adam, a loop over pairs": (PRESETS["mast3r"], _plain),
    "adam, single precision": (
        PRESETS["mast3r"],
        lambda measurements, _: _vectorised(measurements, torch.float32),
    ),
    "adam": (PRESETS["mast3r"], lambda measurements, _: _vectorised(measurements, torch.float64)),
    "least squares on adam's losses": (PRESETS["mast3r"], _least_squares),
    "default": (POINTLOOM, _default),
}
"""By name; the first is what the others are compared with."""


def _started(
    measurements: Measurements, dtype: torch.dtype = torch.float64
) -> tuple[Problem, Parameters, CameraChain]:
    """Return the reference's problem and where it starts."""
    centres = [
        principal_point_of(view, measurements.predictions, k)
        for k, view in enumerate(measurements.predictions.views)
    ]
    problem = cast(condense(measurements.views, measurements.records, torch.stack(centres)), dtype)
    tree = build_tree(
        problem.pair_scores.double().numpy(), problem.size.numpy(), MAST3R.tree, MAST3R.subsample
    )
    return problem, *start(problem, tree, MAST3R)


def _doubled(placement: Placement) -> Placement:
    """Return a placement in double precision."""
    arrays = {field.name: getattr(placement, field.name) for field in fields(placement)}
    return replace(
        placement, **{name: array.double() for name, array in arrays.items() if array.is_floating_point()}
    )


def _of_placement(measurements: Measurements, placement: Placement) -> Solved:
    """Return what the placement of a descent means."""
    problem, _, chain = _started(measurements)
    depth = tuple(view.depth.numpy() for view in densify(measurements.views, placement, chain))
    return Solved(
        placement.cam_from_world.numpy(), placement.K.numpy(), depth, _pixel_loss(problem, placement, chain)
    )


def _of_blocks(measurements: Measurements, solution: BundleSolution) -> Solved:
    """Return what the default aligner's solution means."""
    problem, _, chain = _started(measurements)
    K = torch.from_numpy(solution.K)
    world_from_cam = torch.linalg.inv(torch.from_numpy(solution.cam_from_world))
    scale = torch.from_numpy(np.exp(solution.log_scale))
    offset = torch.from_numpy(np.concatenate([offset.ravel() for offset in solution.log_offset]))
    # A block without an offset holds no match either: its depth is not asked for.
    shape = problem.anchor_depth * torch.where(torch.isfinite(offset), offset, 0).exp()
    placement = Placement(
        K, world_from_cam[:, :3, :3], world_from_cam[:, :3, 3], scale, shape, problem.anchor_view
    )
    # Its depth ratios are not measured with any focal: a base focal equal to the final one leaves them as
    # they are.
    loss = _pixel_loss(problem, placement, replace(chain, base_focal=K[:, 0, 0]))
    depth = (
        block_depth(view, float(size), offset).numpy()
        for view, size, offset in zip(measurements.views, solution.log_scale, solution.log_offset)
    )
    return Solved(solution.cam_from_world, solution.K, tuple(depth), loss)


def _pixel_loss(problem: Problem, placement: Placement, chain: CameraChain) -> float:
    terms = match_terms(problem, MAST3R.good_conf, torch.zeros(problem.num_views))
    return (
        float(loss_2d(terms, lift(terms.ends, placement, chain), placement, Gamma(0.5)))
        if terms is not None
        else float("nan")
    )


def true_share(scene: Simulated, solved: Solved) -> float:
    """Return the median relative error of depth over all object pixels, after one scale."""
    ratio = np.concatenate(
        [
            (depth / true)[mask & np.isfinite(depth)]
            for depth, true, mask in zip(solved.depth, scene.depth, scene.mask)
        ]
    )
    return float(np.median(abs(ratio / np.median(ratio) - 1)))
