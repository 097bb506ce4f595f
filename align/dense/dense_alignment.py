"""The dense alignment, from measurements to what is handed on (docs/dense_alignment.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from align.agreement import agreement_notices
from align.aligned import Aligned
from align.dense.agreement import matches_agree
from align.dense.descent import DenseDescent, descend
from align.dense.from_predictions import dense_problem, require_memory
from align.dense.initial.known_poses import start_from_known_poses
from align.dense.initial.presets import Presets, with_presets
from align.dense.initial.registration import after, move_camera, register_cameras, rigid_part, similarity
from align.dense.initial.spanning_tree import PlacedMap, TreeWorld
from align.dense.initial.start import DenseStart, in_gauge, start_from_tree, start_from_world
from align.dense.objective import loss
from align.dense.options import DenseOptions, TwoViewOptions
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import intrinsics, random_parameters, view_poses
from align.dense.problem import DenseProblem, view_confidences
from align.dense.second_order.least_squares import descend_by_least_squares
from align.dense.terms import gather_terms
from align.dense.two_views import place_two_views
from align.depth_maps.dense_view import DenseView
from align.depth_maps.sky import sky_pixels
from align.measurements.gathered import Measurements
from align.measurements.known_cameras import Known, principal_point_of
from align.pinhole import backproject
from masks.notice import Notice, info, warning
from masks.progress import Progress
from pairs.prediction.predictions import GroupPrediction
from pairs.views.cameras import Cameras
from pairs.views.view import grid_mask

_DOUBTFUL_SHARE = 0.2
"""Of the matches, within 2 px. Right scenes of few, far views have 0.37: the losses measure distances in
space, where a network's depths are worse than its matches."""


def dense_align(
    measurements: Measurements, options: DenseOptions, known: Known, progress: Progress
) -> Aligned:
    """Return the cameras and depths at which the published losses are least.

    Known intrinsics stay. Known poses set the world: they stay, or the descent starts from them. Where
    somebody has seen all views together, it starts from these cameras and depths.
    """
    problem = dense_problem(measurements.predictions, known.depth)
    require_memory(problem, [grid_mask(view) for view in measurements.predictions.views], options)
    progress("starting poses", 0, 1)
    confidences = view_confidences(problem)
    beginning = _begin(problem, measurements, options, known, confidences)
    terms = gather_terms(problem, options, torch.float32)
    before = loss(terms, beginning.start.parameters, beginning.frozen)
    solver = descend if options.solver == "adam" else descend_by_least_squares
    descent = solver(terms, beginning.start.parameters, beginning.frozen, progress)
    ended = loss(terms, descent.parameters, beginning.frozen)
    cameras, depth = _in_world(descent.parameters, problem, options, known, beginning)
    if options.mask_sky:
        confidences = _without_sky(confidences, measurements)
    dense = _dense_views(depth, confidences, cameras)
    agreement = matches_agree(measurements.records, dense, cameras)
    names = [view.name for view in measurements.predictions.views]
    notices = (
        *beginning.start.notices,
        _verdict(descent, before, ended),
        *(agreement_notices(agreement, names, _DOUBTFUL_SHARE) if agreement.checked else ()),
    )
    figures = {
        "solver": options.solver,
        "steps": descent.num_steps,
        "loss at the start": _finite(before),
        "final loss": _finite(ended),
        **agreement.figures(),
    }
    return Aligned(cameras, dense, notices, figures)


def two_view_align(measurements: Measurements, options: TwoViewOptions, known: Known) -> Aligned:
    """Return the cameras of two views as one pair's pointmaps place them; known intrinsics stay. Raises
    `GraphError` for more views.
    """
    problem = dense_problem(measurements.predictions, known.depth)
    found = place_two_views(problem, options, known.K)
    K = _with_known(found.K, known)
    cameras = Cameras(K.numpy(), torch.linalg.inv(found.world_from_cam.double()).numpy())
    dense = _dense_views(found.depth, view_confidences(problem), cameras)
    agreement = matches_agree(measurements.records, dense, cameras)
    figures = {"pair confidences": found.scores.tolist(), **agreement.figures()}
    return Aligned(cameras, dense, found.notices, figures)


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Where a descent starts, what of it stays, and what the start's notices say."""

    start: DenseStart
    frozen: Frozen
    world_from_cam: Mapping[int, Tensor]
    """(4, 4) each, of free views that set the world at the end; of none where the world is the start's."""


def _begin(
    problem: DenseProblem,
    measurements: Measurements,
    options: DenseOptions,
    known: Known,
    confidences: Sequence[Tensor],
) -> _Beginning:
    presets, stays = _presets(measurements, known), _what_stays(options, known)
    given = random_parameters(problem.sizes, len(problem.edges), options)
    given = with_presets(given, presets, problem, options)
    if known.depth:
        log_depth = list(given.log_depth)
        for view, depth in known.depth.items():
            log_depth[view] = torch.where(depth > 0, depth, 1).float().log()
        given = replace(given, log_depth=tuple(log_depth))
    if options.start == "random":
        return _Beginning(DenseStart(given), stays, {})
    group = measurements.predictions.group
    everything = replace(presets.frozen, focals=stays.focals, log_depth=stays.log_depth)
    if group is not None:
        start = start_from_world(_world_of_group(group), problem, options, given, stays)
    elif len(presets.world_from_cam) == problem.num_views:
        # A focal that is not known is that of the view's own pointmaps.
        start = start_from_known_poses(problem, options, given, presets.frozen)
        if not stays.poses:
            # As published, a pair hangs on its two cameras alone. What is free may as well begin where the
            # points agree.
            world = _world_of_start(start.parameters, problem, options, confidences)
            start = start_from_world(world, problem, options, given, everything)
    else:
        start = start_from_tree(problem, options, given, everything)
    if stays.poses or not everything.poses:
        return _Beginning(start, stays, {})
    # Poses that are free are found in the scale of the pairs, and carried back when all is done.
    return _Beginning(in_gauge(start, options), stays, presets.world_from_cam)


def _presets(measurements: Measurements, known: Known) -> Presets:
    """Return what is known or at least estimated of cameras, in single precision: a start."""
    predictions = measurements.predictions
    views = range(len(predictions.views))
    poses = {view: torch.linalg.inv(pose).float() for view, pose in known.cam_from_world.items()}
    focals = {view: measurements.views[view].focal.float() for view in views}
    if predictions.cameras is not None:
        estimated = torch.from_numpy(predictions.cameras.K).float()
        focals |= {view: estimated[view].diagonal()[:2].mean() for view in views}
    focals |= {view: K.diagonal()[:2].mean().float() for view, K in known.K.items()}
    points = {view: principal_point_of(predictions.views[view], predictions, view).float() for view in views}
    return Presets(poses, focals, points)


def _what_stays(options: DenseOptions, known: Known) -> Frozen:
    whole = frozenset(view for view, level in known.fixed.items() if level >= 1)
    fixed = frozenset(view for view, level in known.fixed.items() if level > 0)
    poses = frozenset(known.cam_from_world) if options.poses == "fixed" else fixed
    return Frozen(poses | fixed, frozenset(known.K) | whole, frozenset(known.K) | whole, whole)


def _world_of(
    depth: Sequence[Tensor], present: Sequence[Tensor], K: Tensor, world_from_cam: Tensor
) -> TreeWorld:
    """Return the points (H, W) that cameras see at their depths as a world to start from."""
    maps = tuple(
        PlacedMap(backproject(each, *of), known)
        for each, known, *of in zip(depth, present, K, world_from_cam)
    )
    return TreeWorld(maps, tuple(world_from_cam), tuple(K[:, 0, 0].tolist()), ())


def _world_of_start(
    parameters: DenseParameters, problem: DenseProblem, options: DenseOptions, confidences: Sequence[Tensor]
) -> TreeWorld:
    depth = [log_depth.exp() for log_depth in parameters.log_depth]
    K = intrinsics(parameters, problem.sizes, options)
    return _world_of(depth, [conf > 0 for conf in confidences], K, view_poses(parameters.poses))


def _world_of_group(group: GroupPrediction) -> TreeWorld:
    depth = [torch.from_numpy(each).float() for each in group.depth]
    cameras = (torch.from_numpy(x).float() for x in (group.cameras.K, group.cameras.world_from_cam))
    return _world_of(depth, [each > 0 for each in depth], *cameras)


def _in_world(
    parameters: DenseParameters,
    problem: DenseProblem,
    options: DenseOptions,
    known: Known,
    beginning: _Beginning,
) -> tuple[Cameras, tuple[Tensor, ...]]:
    """Return cameras, and depths (H, W), in the world of the known poses. What stays does so to the bit."""
    poses = view_poses(parameters.poses.double())
    depth = tuple(log_depth.double().exp() for log_depth in parameters.log_depth)
    if beginning.world_from_cam:
        views = list(beginning.world_from_cam)
        wanted = torch.stack([beginning.world_from_cam[view] for view in views]).double()
        # Cameras all in one place say nothing of the scale.
        carry = register_cameras(poses[views], wanted) or move_camera(poses[views[0]], wanted[0])
        poses = torch.stack([rigid_part(after(carry, similarity(pose))) for pose in poses])
        depth = tuple(each * carry.scale for each in depth)
    K = _with_known(intrinsics(parameters, problem.sizes, options), known)
    cam_from_world = torch.linalg.inv(poses)
    for view in beginning.frozen.poses:
        cam_from_world[view] = known.cam_from_world[view]
    return Cameras(K.numpy(), cam_from_world.numpy()), depth


def _with_known(K: Tensor, known: Known) -> Tensor:
    """Return intrinsics (V, 3, 3) in double precision, known ones to the bit."""
    K = K.double()
    for view, stated in known.K.items():
        K[view] = stated
    return K


def _dense_views(
    depth: Sequence[Tensor], confidences: Sequence[Tensor], cameras: Cameras
) -> tuple[DenseView, ...]:
    """Return the views' points, nothing where no pair says anything of a pixel."""
    views = []
    for each, conf, K, pose in zip(depth, confidences, cameras.K, cameras.world_from_cam):
        seen = torch.where(conf > 0, each.double(), torch.nan)
        points = backproject(seen, torch.from_numpy(K), torch.from_numpy(pose))
        views.append(DenseView(points, seen, torch.where(conf > 0, conf.double(), torch.nan)))
    return tuple(views)


def _without_sky(confidences: Sequence[Tensor], measurements: Measurements) -> list[Tensor]:
    skies = (sky_pixels(view.image) for view in measurements.predictions.views)
    return [torch.where(torch.from_numpy(sky), 0, conf) for sky, conf in zip(skies, confidences)]


def _verdict(descent: DenseDescent, before: float, after: float) -> Notice:
    figures = f"mean weighted distance {before:.4g} -> {after:.4g}"
    if descent.stopped == "finished":
        return info("alignment", f"{figures} in {descent.num_steps} steps.")
    return warning("alignment", f"the descent broke off ({descent.stopped}): {figures}.")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
