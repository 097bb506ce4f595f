"""Stated cameras are compared with what the predictions say before they are believed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from align.initial.loop_consistency import triplets_of
from align.initial.relative_poses import measure_relative_poses
from align.initial.stated_poses import PosesVerdict, judge_poses
from align.measurements.gathered import Measurements
from align.measurements.known_cameras import PosePrior, principal_point_of
from align.measurements.stated_intrinsics import IntrinsicsFault, intrinsics_faults
from masks.errors import StatedCamerasError
from masks.notice import Notice, first_few, warning

_MANY = 3
"""One of so many fixed poses that are wrong bends the whole scene: then nothing is made of it."""


def check_stated_cameras(
    measurements: Measurements, prior: PosePrior
) -> tuple[Measurements, tuple[Notice, ...]]:
    """Return what was gathered without single poses that the others contradict, and warnings about these
    and about doubtful cameras.

    Poses are believed as far as `prior` says; a few fixed ones that contradict the others are warned of, but
    stay. Raises `StatedCamerasError` naming views, contradiction and, where the predictions show it, the
    cause, when intrinsics or most of the poses cannot be meant.
    """
    faults = _intrinsics_faults(measurements)
    # A turn about the object by an angle moves the camera by as many distances of the object.
    sigma_rad = max(math.radians(prior.rotation_sigma_deg), prior.centre_sigma)
    verdict = _judged_poses(measurements, sigma_rad)
    names = [view.name for view in measurements.predictions.views]
    _raise([*_certain(faults), verdict.fault, _too_many_fixed(measurements, verdict) if prior.fixed else ""])
    notices = _doubts(faults, names)
    if verdict.doubt:
        notices.append(warning("poses", verdict.doubt))
    placed = "it is not used, and the view is placed where its pairs put it"
    done = "it stays, since all are fixed" if prior.fixed else placed
    for view, remark in verdict.doubted.items():
        notices.append(warning(names[view], f"its given pose contradicts its pairs: {done}. {remark}"))
    return (
        measurements if prior.fixed else _without_poses(measurements, list(verdict.doubted)),
        tuple(notices),
    )


def check_stated_intrinsics(measurements: Measurements) -> tuple[Notice, ...]:
    """Return warnings about doubtful intrinsics, where stated poses are not used.

    Raises `StatedCamerasError` when they cannot be meant.
    """
    faults = _intrinsics_faults(measurements)
    _raise(_certain(faults))
    return tuple(_doubts(faults, [view.name for view in measurements.predictions.views]))


def check_scene_cameras(measurements: Measurements, held: Sequence[str]) -> tuple[Notice, ...]:
    """Return warnings about doubtful intrinsics of views that are not `held` by a known scene, whose
    cameras are stated for the others.

    Raises `StatedCamerasError` when intrinsics cannot be meant, or the scene's poses are none of the
    pictures that the predictions are of.
    """
    views = measurements.predictions.views
    faults = _intrinsics_faults(measurements, [k for k, view in enumerate(views) if view.name not in held])
    fault = _judged_poses(measurements, 0.0).fault
    _raise(
        [
            *_certain(faults),
            f"{fault} They are the scene's: are the predictions of its photos?" if fault else "",
        ]
    )
    return tuple(_doubts(faults, [view.name for view in views]))


def _intrinsics_faults(
    measurements: Measurements, chosen: Sequence[int] | None = None
) -> tuple[IntrinsicsFault, ...]:
    views = measurements.predictions.views
    measured = [view.own_intrinsics for view in measurements.views]
    return intrinsics_faults(views, measured, range(len(views)) if chosen is None else chosen)


def _too_many_fixed(measurements: Measurements, verdict: PosesVerdict) -> str:
    """Return why so many wrong poses cannot stay, as a sentence; empty where they are few."""
    views = measurements.predictions.views
    if not verdict.doubted or _MANY * len(verdict.doubted) < sum(
        view.cam_from_world is not None for view in views
    ):
        return ""
    names = first_few([views[view].name for view in verdict.doubted])
    remarks = " ".join(dict.fromkeys(verdict.doubted.values()))
    return f"the stated poses of {names} contradict those of the others, and fixed ones would stay. {remarks}"


def _certain(faults: Sequence[IntrinsicsFault]) -> list[str]:
    return [fault.text for fault in faults if fault.certain]


def _raise(reasons: Sequence[str]) -> None:
    if any(reasons):
        raise StatedCamerasError(" And ".join(filter(None, reasons)))


def _doubts(faults: Sequence[IntrinsicsFault], names: Sequence[str]) -> list[Notice]:
    return [warning(names[fault.views[0]] if len(fault.views) == 1 else "K", fault.text) for fault in faults]


def _judged_poses(measurements: Measurements, sigma_rad: float) -> PosesVerdict:
    views = measurements.predictions.views
    stated = {k: view.cam_from_world for k, view in enumerate(views) if view.cam_from_world is not None}
    if len(stated) < 2:
        return PosesVerdict()
    trusted, centres = _by_own_intrinsics(measurements)
    middle = np.array([float(view.depth[view.valid].median()) for view in measurements.views])
    pairs = measure_relative_poses(trusted, middle, centres)
    return judge_poses(
        pairs, triplets_of(pairs, len(views)), stated, [view.name for view in views], sigma_rad
    )


def _by_own_intrinsics(measurements: Measurements) -> tuple[Measurements, torch.Tensor]:
    """Return what was gathered with the focals that pointmaps themselves suggest, and principal points (V,
    2).

    Pairs without a reversed run are measured by rays: a wrong K must not accuse right poses.
    """
    canonical, centres = [], []
    for k, view in enumerate(measurements.views):
        K = view.own_intrinsics
        canonical.append(view if K is None else replace(view, focal=(K[0, 0] * K[1, 1]).sqrt()))
        centres.append(
            principal_point_of(measurements.predictions.views[k], measurements.predictions, k)
            if K is None
            else K[:2, 2]
        )
    return replace(measurements, views=tuple(canonical)), torch.stack(centres)


def _without_poses(measurements: Measurements, doubted: Sequence[int]) -> Measurements:
    views = [
        replace(view, cam_from_world=None) if k in doubted else view
        for k, view in enumerate(measurements.predictions.views)
    ]
    return (
        replace(measurements, predictions=replace(measurements.predictions, views=tuple(views)))
        if doubted
        else measurements
    )
