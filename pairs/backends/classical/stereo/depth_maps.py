"""Depth and confidence of all placed views in one scene (docs/classical_backend.md, "Geometric fusion").

Two passes over the views, each in parallel and each kept in the store: the photometric depth of a view
needs the images of its neighbours, the geometric depth their photometric depths. Keys are made of what a
pass reads, so a killed run goes on where it stopped, and nothing is loaded that is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from masks.errors import MaskError
from masks.notice import Notice, first_few, warning
from masks.pixelmap import intrinsics_to_target
from pairs.backends.classical.keys import stage_key
from pairs.backends.classical.options import DepthOptions
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.backends.classical.stereo.depth_map import PhotometricDepth, photometric_depth
from pairs.backends.classical.stereo.fusion import (
    CONFIDENT,
    GeometricDepth,
    confidence,
    extrapolate,
    fuse,
    smooth,
)
from pairs.backends.classical.stereo.plan import RAW_KIND, DepthPlan, depth_plans, scene_inverse_depths
from pairs.backends.classical.stereo.plane_sweep import SweepImage, sweep_image
from pairs.backends.work import Work, arrays_of, cached_map
from pairs.prediction.layout import laid_out
from pairs.prediction.predictions import GroupPrediction
from pairs.prediction.sealed_arrays import Arrays
from pairs.silhouettes.visual_hull import hull_depth, visual_hull
from pairs.views.cameras import Cameras, some_cameras
from pairs.views.view import View, grid_mask

_HULL_VIEWS = 3
_HARDLY = 0.05
"""Share of an object's pixels with a confirmed depth below which a view counts as not measured: on a plain
surface windows agree here and there by chance."""
_FAR_BEHIND = 0.5
"""Of the depth of the hull's front: measured surfaces lie 0.01 to 0.09 of it behind the hull in the middle,
and what a sweep over one colour calls a surface 0.85 to 1.06."""
_FUSED_KIND = "fused_depth"
_RAW_LAYOUT = {"inverse": ("float32", ("H", "W")), "valid": ("bool", ("H", "W"))}
_FUSED_LAYOUT = {
    "inverse": ("float32", ("H", "W")),
    "agree": ("uint8", ("H", "W")),
    "seen": ("uint8", ("H", "W")),
}


def dense_group(
    views: Sequence[View],
    solve: SceneSolve,
    work: Work,
    options: DepthOptions,
) -> tuple[GroupPrediction, tuple[Notice, ...]]:
    """Return cameras, depth and confidence of the placed views, scaled so that the median depth of all
    confident pixels is 1; where poses are stated, in their scale.

    `views` are those that the solve was made from. K belongs to the grids, depth is positive and finite at
    every pixel, and confidence is exactly 1 outside masks and wherever no neighbour confirms the depth. A
    view that cannot be measured gets the median depth of its scene points, and a notice. Memory grows
    by 10 bytes a pixel and view.
    """
    placed = [views[i] for i in solve.placed]
    cameras = grid_cameras(placed, solve.cameras)
    hulls = hull_depths(placed, solve, cameras)
    plans = depth_plans(placed, solve, cameras, options, hulls)
    fused = _geometric_depths(placed, plans, work, options)
    maps, notices, of_hull = [], [], []
    for v, view in enumerate(placed):
        measured = fused.get(v)
        if v in hulls and _hardly_measured(measured, hulls[v]):
            maps.append(_of_hull(hulls[v]))
            of_hull.append(view.name)
        elif measured is None or not measured.agree.any():
            maps.append(_unmeasured(scene_inverse_depths(solve, v), view.image.shape[:2]))
            notices.append(warning(view.name, _why_unmeasured(measured)))
        else:
            maps.append(
                (
                    1 / extrapolate(measured.inverse, measured.agree > 0),
                    confidence(measured.agree, measured.seen),
                )
            )
    if of_hull:
        notices.append(_hull_notice(of_hull, len(placed)))
    stated = any(view.cam_from_world is not None for view in placed)
    return _group(cameras, maps, 1.0 if stated else _unit_scale(maps)), tuple(notices)


def hull_depths(views: Sequence[View], solve: SceneSolve, cameras: Cameras) -> dict[int, np.ndarray]:
    """Return the depths (H, W) of the visual hull's front, 0 off the object, of a scene whose cameras
    outlines placed; of no other scene.
    """
    if not solve.by_outline:
        return {}
    masks = [grid_mask(view) if view.mask is not None else None for view in views]
    shown = [v for v, mask in enumerate(masks) if mask is not None and mask.any()]
    if len(shown) < _HULL_VIEWS:
        return {}
    chosen = [mask for mask in masks if mask is not None and mask.any()]
    of_shown = some_cameras(cameras, shown)
    try:
        hull = visual_hull(of_shown, chosen)
    except MaskError:
        # Masks without a body in common, as those of several objects: what is measured must do.
        return {}
    depths = {
        v: hull_depth(hull, cameras.K[v], cameras.cam_from_world[v], mask) for v, mask in zip(shown, chosen)
    }
    return {v: depth for v, depth in depths.items() if (depth > 0).any()}


def _hardly_measured(measured: GeometricDepth | None, hull: np.ndarray) -> bool:
    """Tell whether next to none of a view's object has a depth that neighbours confirm, or what has one lies
    where the object cannot be.
    """
    if measured is None:
        return True
    on_object = hull > 0
    sure = (confidence(measured.agree, measured.seen) > CONFIDENT) & on_object
    if sure.sum() < _HARDLY * on_object.sum():
        return True
    front, back = np.percentile(hull[on_object], (2, 98))
    behind = np.median(1 / measured.inverse[sure] - hull[sure])
    return bool(behind > _FAR_BEHIND * (back - front))


def _hull_notice(names: Sequence[str], num_placed: int) -> Notice:
    return warning(
        "depth",
        (
            f"{len(names)} of {num_placed} views show too little texture to be measured "
            f"({first_few(names)}): their depth is that of the visual hull, the largest body that all "
            "masks allow, with little confidence. Hollows are filled."
        ),
    )


def _of_hull(depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hull's depth, extended off the object, and the least confidence that exports take."""
    known = depth > 0
    inverse = np.where(known, 1 / np.where(known, depth, 1), 0).astype(np.float32)
    return 1 / extrapolate(inverse, known), np.where(known, np.float32(CONFIDENT), np.float32(1))


def grid_cameras(views: Sequence[View], cameras: Cameras) -> Cameras:
    """Return the cameras with K carried from the upright photos to the grids."""
    K = np.stack([intrinsics_to_target(view.grid_from_photo, K) for view, K in zip(views, cameras.K)])
    return Cameras(K, cameras.cam_from_world)


@dataclass(frozen=True, slots=True)
class _PhotometricTask:
    picture: SweepImage
    neighbours: tuple[SweepImage, ...]
    plan: DepthPlan
    options: DepthOptions


@dataclass(frozen=True, slots=True)
class _FuseTask:
    own: PhotometricDepth
    neighbours: tuple[PhotometricDepth, ...]
    plan: DepthPlan


def _geometric_depths(
    views: Sequence[View], plans: Mapping[int, DepthPlan], work: Work, options: DepthOptions
) -> dict[int, GeometricDepth]:
    """Return the fused depth of every view that has a plan."""
    planned = list(plans)
    keys = [
        # A neighbour without a plan has no depth, so nothing of it enters.
        stage_key(_FUSED_KIND, plan.key, [plans[n].key for n in plan.neighbours if n in plans])
        for plan in plans.values()
    ]

    def tasks(missing: list[int]) -> list[_FuseTask]:
        wanted = [planned[k] for k in missing]
        raws = _photometric_depths(views, plans, _with_neighbours(wanted, plans), work, options)
        return [_FuseTask(raws[v], tuple(raws[n] for n in plans[v].neighbours), plans[v]) for v in wanted]

    found = cached_map(work, "fusing depth", _FUSED_KIND, keys, _fuse, tasks, _fused)
    return dict(zip(planned, found, strict=True))


def _photometric_depths(
    views: Sequence[View],
    plans: Mapping[int, DepthPlan],
    wanted: Sequence[int],
    work: Work,
    options: DepthOptions,
) -> dict[int, PhotometricDepth]:
    """Return the raw depths of the wanted views; a view without a plan has none that is valid."""
    planned = [v for v in wanted if v in plans]

    def tasks(missing: list[int]) -> list[_PhotometricTask]:
        measured = [planned[k] for k in missing]
        needed = _with_neighbours(measured, plans)
        pictures = work.map("preparing photos", sweep_image, [views[v] for v in needed])
        of_view = dict(zip(needed, pictures, strict=True))
        return [
            _PhotometricTask(of_view[v], tuple(of_view[n] for n in plans[v].neighbours), plans[v], options)
            for v in measured
        ]

    keys = [plans[v].key for v in planned]
    found = cached_map(work, "measuring depth", RAW_KIND, keys, _sweep, tasks, _raw)
    measured = dict(zip(planned, found, strict=True))
    # A view without a plan is still somebody's neighbour: its picture serves the sweep, its depth says
    # nothing.
    return {v: measured.get(v) or _without_depth(views[v]) for v in wanted}


def _with_neighbours(wanted: Iterable[int], plans: Mapping[int, DepthPlan]) -> list[int]:
    """Return the views and all their neighbours, ascending."""
    return sorted({i for v in wanted for i in (v, *plans[v].neighbours)})


def _sweep(task: _PhotometricTask) -> dict[str, np.ndarray]:
    limits = (task.options.min_planes, task.options.max_planes)
    return arrays_of(
        photometric_depth(task.picture, task.neighbours, task.plan.there, task.plan.inverse_range, limits)
    )


def _fuse(task: _FuseTask) -> dict[str, np.ndarray]:
    return arrays_of(smooth(fuse(task.own, task.neighbours, task.plan.there, task.plan.back)))


def _raw(arrays: Arrays) -> PhotometricDepth:
    return PhotometricDepth(**laid_out(arrays, _RAW_LAYOUT))


def _fused(arrays: Arrays) -> GeometricDepth:
    return GeometricDepth(**laid_out(arrays, _FUSED_LAYOUT))


def _without_depth(view: View) -> PhotometricDepth:
    shape = view.image.shape[:2]
    return PhotometricDepth(np.zeros(shape, np.float32), np.zeros(shape, bool))


def _unmeasured(inverse_depths: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return depth at the median of the view's scene points, and confidence 1."""
    depth = 1 / np.median(inverse_depths) if len(inverse_depths) else 1.0
    return np.full(shape, depth, np.float32), np.ones(shape, np.float32)


def _why_unmeasured(measured: GeometricDepth | None) -> str:
    why = (
        "no neighbour confirms any depth"
        if measured
        else "no other view sees eight of its scene points from 2 to 40 degrees aside"
    )
    return (
        f"its depth was not measured: {why}. It has the median depth of its scene points, without "
        "confidence; take photos in smaller steps."
    )


def _unit_scale(maps: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return what brings the median depth to 1; when no pixel is confident, of all pixels."""
    # Filled-up pixels would let the share of background in the pictures decide the scale.
    sure = np.concatenate([depth[conf > CONFIDENT] for depth, conf in maps])
    return 1 / float(np.median(sure if len(sure) else np.concatenate([depth.ravel() for depth, _ in maps])))


def _group(cameras: Cameras, maps: Sequence[tuple[np.ndarray, np.ndarray]], scale: float) -> GroupPrediction:
    """Return the group with the scene scaled."""
    cam_from_world = cameras.cam_from_world.copy()
    # Points and centres scale together, so translations do; rotations and K stay.
    cam_from_world[:, :3, 3] *= scale
    depths = tuple((depth * np.float32(scale)).astype(np.float32) for depth, _ in maps)
    return GroupPrediction(Cameras(cameras.K, cam_from_world), depths, tuple(conf for _, conf in maps))
